package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/metrics"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
	"github.com/nodejitsu/webhooks/httpapi/dashboard"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/sockets"
)

// Readiness fails if a part can't do its work.
type Readiness func(context.Context) error

// ClockBehind returns by how much the clock is behind the newest entry of the store.
type ClockBehind func() time.Duration

// warnings returns the warning of a wrong clock, if it is wrong.
func (behind ClockBehind) warnings() []string {
	d := behind().Round(time.Second)
	if d <= 0 {
		return nil
	}
	return []string{fmt.Sprintf("The clock is wrong, or was: the newest entry was accepted %s after now. Check the clock of the server, and that of Redis if it has one.", d)}
}

// httpModule provides the HTTP API and serves it.
func httpModule(cfg config.Config) fx.Option {
	return fx.Module("http",
		fx.Provide(
			func(d *deploy.Service, s *status.Service, a *auth.Service, connects *connect.Service, pages *dashboard.Dashboard, ready Readiness, clock ClockBehind, platform PlatformCheck, embedded optionalPlatform, logins *throttle.Throttle, m *metrics.Metrics, log *slog.Logger) *httpapi.API {
				wait := cfg.Wait
				if wait == 0 {
					wait = -1 // not at all; the API's own zero is its default
				}
				o := httpapi.Options{
					Deploy: d, Status: s, Auth: a, Connect: connects, Dashboard: pages, BaseURL: strings.TrimSuffix(cfg.BaseURL, "/"), Wait: wait,
					NewUUID: newUUID, Ready: func(ctx context.Context) error { return cmp.Or(ready(ctx), platform(ctx)) }, Warnings: func() []string { return warnings(clock, embedded) }, Proxies: cfg.Proxies(), Logins: logins, Logger: log,
				}
				if m != nil {
					o.Observer = m
				}
				return httpapi.New(o)
			},
			func(lc fx.Lifecycle, api *httpapi.API, p optionalPlatform, c *Certificates, at *addresses, held *sockets.Sockets, fail context.CancelCauseFunc, log *slog.Logger) *serve.Server {
				handler, files := api.Handler(), apiFileShare
				if cfg.SharesListener() {
					handler, files = byHost(cfg, handler, p.Embedded), sharedFileShare
				}
				s := serve.New(serve.Options{
					Name: "listen", Addr: cfg.Listen, Bind: held.Listen, TLS: c.TLS,
					MaxConns: cfg.MaxConnections, FileShare: files, Trusted: cfg.Proxies(), Untrusted: isApp,
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
						at.listens(s.Addr())
						s.Serve(handler)
						return nil
					},
					func(ctx context.Context) error { return stopAPI(ctx, cfg, api, s.Stop) },
				))
				return s
			},
		),
		// Last to start and first to stop: nothing comes in while a part is missing.
		fx.Invoke(func(*serve.Server) {}, findMissed(cfg)),
		redirectModule(cfg),
	)
}

// optionalPlatform is the embedded platform, if there is one.
type optionalPlatform struct {
	fx.In

	Embedded embedded `optional:"true"`
}

// warnings returns what an operator should look at on the embedded platform.
func (p optionalPlatform) warnings() []string {
	if p.Embedded == nil {
		return nil
	}
	return p.Embedded.Warnings()
}

// warnings returns what an operator should look at although the server works.
func warnings(clock ClockBehind, p optionalPlatform) []string {
	return append(clock.warnings(), p.warnings()...)
}

// redirectModule serves the port without TLS, if it is configured.
func redirectModule(cfg config.Config) fx.Option {
	if cfg.RedirectListen == "" {
		return fx.Options()
	}
	return fx.Invoke(func(lc fx.Lifecycle, secure *serve.Server, c *Certificates, lines *announcements, held *sockets.Sockets, fail context.CancelCauseFunc, log *slog.Logger) {
		s := serve.New(serve.Options{
			Name: "redirect-listen", Addr: cfg.RedirectListen, Bind: held.Listen, MaxConns: cfg.MaxConnections, FileShare: redirectFileShare, Trusted: cfg.Proxies(),
			ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, Fail: fail, Logger: log,
		})
		*lines = append(*lines, func() string { return "redirect http://" + s.Reachable() })
		lc.Append(fx.StartStopHook(
			func(ctx context.Context) error {
				if err := s.Listen(ctx); err != nil {
					return err
				}
				_, port, _ := net.SplitHostPort(secure.Addr()) // a listener's own
				handler := redirect(port)
				if c.Challenges != nil {
					handler = c.Challenges(handler)
				}
				s.Serve(handler)
				return nil
			},
			func(ctx context.Context) error { return stopWithin(ctx, stopListener, s.Stop) },
		))
	})
}

// apiFileShare is the part of the files of the process that connections to the
// API may be: half of them. The platform's listeners use 3/16, as a request to
// an app needs two; the rest is for everything else.
//
// A listener that serves apps too may use a third of the files for its
// connections, and as many for those to apps.
const (
	apiFileShare      = 2
	sharedFileShare   = 3
	redirectFileShare = 32
)
