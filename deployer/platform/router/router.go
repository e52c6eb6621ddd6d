package router

import (
	"log/slog"
	"net/http"
)

// Options are the settings of a [Router]. Lookup and Pick are needed; both are
// called for each request, at once by many.
type Options struct {
	// Lookup finds the app that a host belongs to. The host is lower-case and
	// has neither a port nor a trailing dot.
	Lookup func(host string) (user, app string, ok bool)

	// Pick finds a drone of the app: its address, host:port, and what to call
	// when the request has ended.
	Pick func(user, app string) (addr string, done func(), ok bool)

	Logger *slog.Logger // default: discards
}

// Router is an http.Handler that proxies each request to a drone of the app
// that its Host names: 404 where there is none, 503 where it doesn't run.
type Router struct {
	o Options
}

// New returns a Router.
func New(o Options) *Router {
	return &Router{o: o}
}

// ServeHTTP proxies one request.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	http.Error(w, "not written yet", http.StatusNotImplemented)
}
