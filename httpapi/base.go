package httpapi

import "github.com/gin-gonic/gin"

// base returns the scheme and the host of links: those that the client used.
func (a *API) base(c *gin.Context) string {
	if a.baseURL != "" {
		return a.baseURL
	}
	return a.o.Proxies.BaseURL(c.Request)
}
