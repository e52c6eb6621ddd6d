package httpapi

import (
	"regexp"

	"github.com/gin-gonic/gin"
)

// hostForm matches a host that may be part of a link: it has nothing that JSON,
// a header or HTML would have to escape.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9.:\-\[\]]{1,255}$`)

// base returns the scheme and the host of links: those that the client used.
func (a *API) base(c *gin.Context) string {
	if a.baseURL != "" {
		return a.baseURL
	}
	scheme := "http"
	if a.o.Proxies.Client(c.Request).Secure {
		scheme = "https"
	}
	host := c.Request.Host
	if !hostForm.MatchString(host) {
		host = "localhost"
	}
	return scheme + "://" + host
}
