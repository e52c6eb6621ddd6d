package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/metrics"
	"github.com/nodejitsu/webhooks/adapters/traces"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/apps"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/sockets"
)

// Endpoint returns the URL of the platform and the key that is shared with it.
// Each call asks for them, because the embedded platform has both only after its
// start.
type Endpoint struct {
	URL func() string
	Key func() core.Secret
}

// accounts are those of a platform.
type accounts interface {
	deploy.Accounts
	auth.Accounts
	connect.Accounts
}

// embedded is the platform that runs in this process.
type embedded interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	URL() string
	AppURL(subdomain string) string
	CopyTo(begin func(size int64) (io.Writer, error)) error
	AppsHandler() http.Handler
	APIHandler() http.Handler
	Key() core.Secret
	Serves(host string) bool
	Check(ctx context.Context) error
	Warnings() []string
	Kill()
	drones() metrics.Drones
	disk() metrics.Disk
	accounts() accounts
}

// KeeperCommand is the argument with which the program is the keeper of one drone.
const KeeperCommand = "keeper"

// SiteCommand is the argument with which the program serves a static site in a
// cluster.
const SiteCommand = "site"

// keepApps reports whether the apps go on when the server stops.
type keepApps func() bool

// PlatformCheck fails while the embedded platform can't do its work.
type PlatformCheck func(context.Context) error

// platformModule provides the Endpoint and the accounts of the platform that is
// configured, or of the embedded one, which it starts.
func platformModule(cfg config.Config) fx.Option {
	if cfg.PlatformURL != "" {
		return fx.Module("platform", fx.Provide(
			func() (Endpoint, error) {
				key, err := cfg.PlatformKey()
				if err == nil && key.IsZero() {
					err = errors.New("--platform-key-file: the file is empty")
				}
				return Endpoint{URL: func() string { return cfg.PlatformURL }, Key: func() core.Secret { return key }}, err
			},
			func(p *nodejitsu.Platform) (deploy.Accounts, auth.Accounts, connect.Accounts) { return p, p, p },
			func() PlatformCheck { return func(context.Context) error { return nil } },
		))
	}
	return fx.Module("platform",
		fx.Provide(
			fx.Annotate(
				func(c *Certificates, logins *throttle.Throttle, at *addresses, keep keepApps, held *sockets.Sockets, fail context.CancelCauseFunc, log *slog.Logger) (embedded, error) {
					p, err := newEmbedded(cfg, c.TLS, at, logins, keep, held, fail, log)
					if err == nil {
						serves := p.Serves
						c.serves.Store(&serves)
					}
					return p, err
				},
				fx.OnStart(func(ctx context.Context, p embedded) error { return p.Start(ctx) }),
				fx.OnStop(func(ctx context.Context, p embedded) error { return stopWithin(ctx, stopPlatform, p.Stop) }),
			),
			func(p embedded) Endpoint { return Endpoint{URL: p.URL, Key: p.Key} },
			func(p embedded) (deploy.Accounts, auth.Accounts, connect.Accounts) {
				return p.accounts(), p.accounts(), p.accounts()
			},
			func(p embedded) PlatformCheck { return p.Check },
		),
		fx.Invoke(func(embedded) {}),
	)
}

// clientModule provides the port of the platform's apps, which are called over
// HTTP even if the platform is embedded.
func clientModule() fx.Option {
	return fx.Module("client",
		fx.Provide(
			func(e Endpoint, tracer *traces.Traces, log *slog.Logger) *nodejitsu.Client {
				o := nodejitsu.Options{Endpoint: e.URL, Username: core.ServiceUser, Password: e.Key, Logger: log}
				if tracer != nil {
					o.Header = traces.Inject
				}
				return nodejitsu.New(o)
			},
			nodejitsu.NewPlatform,
			func(p *nodejitsu.Platform) (deploy.Platform, apps.Platform) { return p, p },
		),
	)
}
