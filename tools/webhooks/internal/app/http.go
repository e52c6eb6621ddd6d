package app

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// Readiness fails if a part can't do its work.
type Readiness func(context.Context) error

// httpModule provides the HTTP API and serves it.
func httpModule(cfg config.Config) fx.Option {
	return fx.Module("http",
		fx.Provide(
			func(d *deploy.Service, s *status.Service, a *auth.Service, ready Readiness, platform PlatformCheck, logins *throttle.Throttle, log *slog.Logger) *httpapi.API {
				wait := cfg.Wait
				if wait == 0 {
					wait = -1 // not at all; the API's own zero is its default
				}
				return httpapi.New(httpapi.Options{
					Deploy: d, Status: s, Auth: a, BaseURL: strings.TrimSuffix(cfg.BaseURL, "/"), Wait: wait,
					NewUUID: newUUID, Ready: func(ctx context.Context) error { return cmp.Or(ready(ctx), platform(ctx)) }, Proxies: cfg.Proxies(), Logins: logins, Logger: log,
				})
			},
			func(lc fx.Lifecycle, api *httpapi.API, c *Certificates, fail context.CancelCauseFunc, log *slog.Logger) *serve.Server {
				s := serve.New(serve.Options{
					Name: "listen", Addr: cfg.Listen, TLS: c.TLS,
					MaxConns: cfg.MaxConnections, FileShare: apiFileShare, Trusted: cfg.Proxies(), Untrusted: isApp,
					ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, // feeds and deliveries extend it
					Overload: api.Overload(), Fail: fail, Logger: log,
				})
				lc.Append(fx.StartStopHook(
					func(ctx context.Context) error {
						if err := api.Validate(); err != nil {
							return err
						}
						if err := s.Listen(ctx); err != nil {
							return err
						}
						s.Serve(api.Handler())
						return nil
					},
					func(ctx context.Context) error {
						api.Drain(ctx, cfg.ShutdownDelay)
						api.EndFeeds(ctx)
						return s.Stop(ctx)
					},
				))
				return s
			},
		),
		// Last to start and first to stop: nothing comes in while a part is missing.
		fx.Invoke(func(*serve.Server) {}),
	)
}

// apiFileShare is the part of the files of the process that connections to the
// API may be: half of them. The platform's listeners use 3/16, as a request to
// an app needs two; the rest is for everything else.
const apiFileShare = 2
