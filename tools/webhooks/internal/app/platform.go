package app

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// Endpoint says where the platform is and what proves that we may. It is asked
// at each call, as the embedded platform learns both when it starts.
type Endpoint struct {
	URL func() string
	Key func() core.Secret
}

// platformModule provides the platform's Endpoint and accounts: those of the
// embedded platform, started with the process, unless the settings name another.
func platformModule(cfg config.Config) fx.Option {
	if cfg.PlatformURL != "" {
		return fx.Module("platform", fx.Provide(
			func() (Endpoint, error) {
				key, err := cfg.PlatformKey()
				if err == nil && key == "" {
					err = errors.New("platform-key-file: the file is empty")
				}
				return Endpoint{URL: func() string { return cfg.PlatformURL }, Key: func() core.Secret { return key }}, err
			},
			func(p *nodejitsu.Platform) (deploy.Accounts, auth.Accounts) { return p, p },
		))
	}
	return fx.Module("platform",
		fx.Provide(
			fx.Annotate(
				func(c *Certificates, logins *throttle.Throttle, fail context.CancelCauseFunc, log *slog.Logger) (*platform.Platform, error) {
					p, err := newPlatform(cfg, c.TLS, logins, fail, log)
					if err == nil {
						serves := p.Serves
						c.serves.Store(&serves)
					}
					return p, err
				},
				fx.OnStart((*platform.Platform).Start),
				fx.OnStop((*platform.Platform).Stop),
			),
			func(p *platform.Platform) Endpoint { return Endpoint{URL: p.URL, Key: p.Key} },
			func(p *platform.Platform) (deploy.Accounts, auth.Accounts) { return p.Accounts(), p.Accounts() },
		),
		fx.Invoke(func(*platform.Platform) {}),
	)
}

func newPlatform(cfg config.Config, certificates *tls.Config, logins *throttle.Throttle, fail func(error), log *slog.Logger) (*platform.Platform, error) {
	dir, err := filepath.Abs(cfg.PlatformDir())
	if err != nil {
		return nil, err
	}
	var key core.Secret
	if cfg.PlatformKeyFile != "" {
		if key, err = cfg.PlatformKey(); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	keys, err := cfg.SealKeys(os.Environ())
	if err != nil {
		return nil, err
	}
	return platform.New(platform.Options{
		Proxies: cfg.Proxies(), MaxConns: cfg.MaxConnections, Registry: cfg.NpmRegistry, BuildTimeout: cfg.BuildTimeout, Ready: cfg.ReadyTimeout, Drain: cfg.DrainTimeout,
		Dir: dir, Listen: cfg.PlatformListen, RouterListen: cfg.AppsListen,
		Domain: cfg.AppsDomain, TLS: certificates, Key: key, SealKeys: keys, Logins: logins, Fail: fail, Logger: log,
	}), nil
}

// clientModule provides the port that the platform's apps are reached by: over
// HTTP whether it is embedded or not.
func clientModule() fx.Option {
	return fx.Module("client",
		fx.Provide(
			func(e Endpoint, log *slog.Logger) *nodejitsu.Client {
				return nodejitsu.New(nodejitsu.Options{
					Endpoint: e.URL, Username: core.ServiceUser, Password: e.Key, Logger: log,
				})
			},
			nodejitsu.NewPlatform,
			func(p *nodejitsu.Platform) deploy.Platform { return p },
		),
	)
}
