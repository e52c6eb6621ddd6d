package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/throttle"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/peer"
)

// Options are what [New] takes; Accounts and Apps are required.
type Options struct {
	Accounts *accounts.Accounts
	Apps     *apps.Apps
	Proxies  []netip.Prefix // whose X-Forwarded-For is believed

	// IsApp tells whether a user of this machine is an app's, which may not call.
	// The server's ConnContext must be peer.Context. nil: nobody is.
	IsApp func(uid uint32) bool

	Logger *slog.Logger // default: discards
}

// API is an http.Handler. It may be used concurrently.
type API struct {
	o        Options
	routes   *http.ServeMux
	throttle *throttle.Throttle
}

// New returns an API.
func New(o Options) *API {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &API{o: o, routes: http.NewServeMux(), throttle: throttle.New(throttle.Options{})}
	for _, r := range a.table() {
		a.routes.Handle(r.pattern, a.serve(r))
	}
	a.routes.HandleFunc("/", a.unknown)
	return a
}

// ServeHTTP answers one call. Apps are refused whoever they say they are: by
// wrong passwords they would have the people on this machine wait, whose
// address they share.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.o.IsApp != nil && peer.Is(r.Context(), a.o.IsApp) {
		w.Header().Set("X-Powered-By", poweredBy)
		a.refuse(w, r, core.Errorf(core.CodePlatformForbidden, "An app that runs on the platform can't call its API"))
		return
	}
	a.answer(w, r)
}

const poweredBy = "Nodejitsu/webhooks"

func (a *API) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Powered-By", poweredBy)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-store")
	// http.ServeMux would send these elsewhere, and the published clients take
	// that for a success.
	for part := range strings.SplitSeq(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/") {
		if r.URL.EscapedPath() != pathLive && (part == "" || part == "." || part == "..") {
			a.refuse(w, r, noPath())
			return
		}
	}
	a.routes.ServeHTTP(w, r)
}
