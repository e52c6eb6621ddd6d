package app

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/deployer/platform/conns"
	"github.com/nodejitsu/webhooks/deployer/platform/drones"
	"github.com/nodejitsu/webhooks/deployer/platform/peer"
	"github.com/nodejitsu/webhooks/httpapi"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// Readiness tells whether a part can do its work.
type Readiness func(context.Context) error

// httpModule provides the HTTP adapter and serves it.
func httpModule(cfg config.Config) fx.Option {
	return fx.Module("http",
		fx.Provide(
			func(d *deploy.Service, s *status.Service, a *auth.Service, ready Readiness, log *slog.Logger) *httpapi.API {
				wait := cfg.Wait
				if wait == 0 {
					wait = -1 // not at all; the API's own zero is its default
				}
				return httpapi.New(httpapi.Options{
					Deploy: d, Status: s, Auth: a, BaseURL: strings.TrimSuffix(cfg.BaseURL, "/"), Wait: wait,
					NewUUID: newUUID, Ready: ready, TrustedProxies: cfg.TrustedProxies, Logger: log,
				})
			},
			fx.Annotate(
				func(api *httpapi.API, c *Certificates, fail context.CancelCauseFunc, log *slog.Logger) *httpapi.Server {
					return httpapi.NewServer(httpapi.ServerOptions{
						API: api, Handler: apart(api.Handler()), ConnContext: peer.Context,
						Addr: cfg.Listen, TLS: c.TLS, Drain: cfg.ShutdownDelay, Fail: fail, Logger: log,
						Limit: func(l net.Listener) net.Listener {
							return conns.Limit(l, conns.Options{
								Total: cmp.Or(cfg.MaxConnections, conns.OfAPI.Connections()), Exempt: append(conns.Local(), cfg.Proxies()...), Logger: log,
							})
						},
					})
				},
				fx.OnStart((*httpapi.Server).Start),
				fx.OnStop((*httpapi.Server).Stop),
			),
		),
		// Last to start and first to stop: nothing comes in while a part is missing.
		fx.Invoke(func(*httpapi.Server) {}),
	)
}

// apart serves the apps of this machine as callers from elsewhere, under an
// address that is nobody's. Else they would have the one of the people and the
// proxies here: they could make those wait by wrong passwords, and be believed
// when they name another address.
func apart(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if peer.Is(r.Context(), drones.IsApp) {
			r = r.WithContext(r.Context()) // a copy
			r.RemoteAddr = "0.0.0.0:0"
		}
		next.ServeHTTP(w, r)
	})
}
