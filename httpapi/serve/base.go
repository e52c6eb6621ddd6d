package serve

import (
	"net/http"
	"regexp"
)

// maxHost is the length of the longest host that may be part of a link, in bytes.
const maxHost = 255

// hostForm matches a host that may be part of a link: it has nothing that JSON,
// a header or HTML would have to escape.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9.:\-\[\]]+$`)

// ValidHost reports whether host may be part of a link.
func ValidHost(host string) bool { return len(host) <= maxHost && hostForm.MatchString(host) }

// BaseURL returns the scheme and the host that the client used, for links. If the
// host is not valid, it is localhost.
func (p Proxies) BaseURL(r *http.Request) string {
	scheme, host := "http", r.Host
	if p.Client(r).Secure {
		scheme = "https"
	}
	if !ValidHost(host) {
		host = "localhost"
	}
	return scheme + "://" + host
}
