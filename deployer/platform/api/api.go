package api

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/events"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
)

// Options are the settings of [New]; Accounts, Apps and Events are required.
type Options struct {
	Accounts *accounts.Accounts
	Apps     *apps.Apps
	Events   *events.Journal
	Proxies  serve.Proxies // whose X-Forwarded-For is trusted

	// Logins throttles clients that guess credentials; default: one of its own.
	Logins *throttle.Throttle

	Logger *slog.Logger // default: discards
}

// API is an http.Handler. It is safe for concurrent use.
type API struct {
	o      Options
	routes *http.ServeMux
}

// New returns an API.
func New(o Options) *API {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Logins == nil {
		o.Logins = throttle.New(throttle.Options{})
	}
	a := &API{o: o, routes: http.NewServeMux()}
	for _, r := range a.table() {
		a.routes.Handle(r.pattern, a.serve(r))
	}
	a.routes.HandleFunc("/", a.unknown)
	return a
}

// ServeHTTP serves one call. Calls of apps on this machine are refused before
// they authenticate: with wrong passwords they could throttle users of the same
// address. A caller with the service user's key is one of our servers, so its
// connection is not checked.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.fromServer(r) && serve.Untrusted(r) {
		w.Header().Set("X-Powered-By", poweredBy)
		a.refuse(w, r, core.Errorf(core.CodePlatformForbidden, "An app that runs on the platform can't call its API"))
		return
	}
	a.answer(w, r)
}

const poweredBy = "Nodejitsu/webhooks"

func (a *API) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Powered-By", poweredBy)
	serve.SecureHeaders(w.Header(), serve.PolicyNone, a.o.Proxies.Client(r).Secure)
	// http.ServeMux would redirect these, and the published clients treat a
	// redirect as a success.
	for part := range strings.SplitSeq(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/") {
		if r.URL.EscapedPath() != pathLive && (part == "" || part == "." || part == "..") {
			a.refuse(w, r, noPath())
			return
		}
	}
	a.routes.ServeHTTP(w, r)
}
