package httpapi

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/dashboard"
	"github.com/nodejitsu/webhooks/httpapi/docs"
)

// Dashboard serves the pages for browsers; *dashboard.Dashboard implements it.
type Dashboard interface {
	http.Handler
	// User returns the user who is signed in, "" if there is none.
	User(r *http.Request) (string, error)
}

var _ Dashboard = (*dashboard.Dashboard)(nil)

// serveDashboard adds the routes of the dashboard.
func (a *API) serveDashboard() {
	pages := dashboard.Prefix + "*page"
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		a.engine.Handle(method, "/", a.handle(a.firstPage))
		a.engine.Handle(method, pages, a.handle(a.page))
	}
	a.engine.POST(pages, a.handle(a.page))
}

// serveDocs adds the routes of the documentation.
func (a *API) serveDocs() {
	pages := gin.WrapH(docs.New(func(r *http.Request) bool { return a.o.Proxies.Client(r).Secure }))
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		a.engine.Handle(method, docs.Path, pages)
		a.engine.Handle(method, docs.Path+"/*page", pages)
	}
}

// firstPage serves the dashboard to a browser. For other clients / is where
// deliveries are posted.
func (a *API) firstPage(c *gin.Context) error {
	if !strings.Contains(c.Request.Header.Get("Accept"), "text/html") {
		c.Header("Allow", http.MethodPost)
		return core.NewError(core.CodeHTTPMethodNotAllowed, "", nil)
	}
	return a.page(c)
}

// page serves a page of the dashboard, or the feed of the user who is signed in.
func (a *API) page(c *gin.Context) error {
	if c.Request.URL.Path != dashboard.PathFeed {
		a.extendDeadline(c, a.o.MaxWait) // starting an app takes a while
		a.o.Dashboard.ServeHTTP(c.Writer, c.Request)
		return nil
	}
	user, err := a.o.Dashboard.User(c.Request)
	if err != nil {
		return err
	}
	if user == "" {
		return core.NewError(core.CodeUnauthorized, "", nil)
	}
	c.Set(keyUser, user)
	return a.stream(c, user)
}
