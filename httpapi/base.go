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
	if c.Request.TLS != nil || a.trusted(c) && forwardedProto(c) == "https" {
		scheme = "https"
	}
	host := c.Request.Host
	if !hostForm.MatchString(host) {
		host = "localhost"
	}
	return scheme + "://" + host
}

// forwardedProto returns what the proxy next to us says, which stands last.
func forwardedProto(c *gin.Context) string {
	all := strings.Split(c.Request.Header.Get("X-Forwarded-Proto"), ",")
	return strings.ToLower(strings.TrimSpace(all[len(all)-1]))
}

// trusted tells whether the request comes from a proxy that we trust.
func (a *API) trusted(c *gin.Context) bool {
	addr, err := netip.ParseAddr(c.RemoteIP())
	return err == nil && slices.ContainsFunc(a.proxies, func(p netip.Prefix) bool {
		return p.Contains(addr.Unmap())
	})
}
