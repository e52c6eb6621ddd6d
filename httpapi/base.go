package httpapi

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// hostForm is what a host in a link may look like: nothing in it that JSON, a
// header or HTML would have to escape.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9.:\-\[\]]{1,255}$`)

// base returns the scheme and the host that the client used, for links.
func (a *API) base(c *gin.Context) string {
	if a.baseURL != "" {
		return a.baseURL
	}
	scheme := "http"
	if a.secure(c) {
		scheme = "https"
	}
	host := c.Request.Host
	if !hostForm.MatchString(host) {
		host = "localhost"
	}
	return scheme + "://" + host
}

// secure tells whether the client speaks TLS, with us or with a trusted proxy.
func (a *API) secure(c *gin.Context) bool {
	return c.Request.TLS != nil || a.trusted(c) && forwardedProto(c) == "https"
}

// forwardedProto returns what the proxy next to us says, which stands last:
// proxies may append to a client's own header, or add another one.
func forwardedProto(c *gin.Context) string {
	all := strings.Split(strings.Join(c.Request.Header.Values("X-Forwarded-Proto"), ","), ",")
	return strings.ToLower(strings.TrimSpace(all[len(all)-1]))
}

// trusted tells whether the request comes from a proxy that we trust.
func (a *API) trusted(c *gin.Context) bool {
	addr, err := netip.ParseAddr(c.RemoteIP())
	return err == nil && slices.ContainsFunc(a.proxies, func(p netip.Prefix) bool {
		return p.Contains(addr.Unmap())
	})
}
