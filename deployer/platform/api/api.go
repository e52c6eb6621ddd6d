package api

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
)

// Options are what [New] takes; Accounts and Apps are required.
type Options struct {
	Accounts *accounts.Accounts
	Apps     *apps.Apps
	Logger   *slog.Logger // default: discards
}

// API is an http.Handler. It may be used concurrently.
type API struct {
	o      Options
	routes *http.ServeMux
}

// New returns an API.
func New(o Options) *API {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &API{o: o, routes: http.NewServeMux()}
	for _, r := range a.table() {
		a.routes.Handle(r.pattern, a.serve(r))
	}
	a.routes.HandleFunc("/", a.unknown)
	return a
}

// ServeHTTP answers one call.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Powered-By", "Nodejitsu/webhooks")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	// http.ServeMux would send these elsewhere, and the published clients take
	// that for a success.
	for part := range strings.SplitSeq(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/") {
		if part == "" || part == "." || part == ".." {
			a.refuse(w, r, noPath())
			return
		}
	}
	a.routes.ServeHTTP(w, r)
}
