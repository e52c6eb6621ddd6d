package app

import (
	"context"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/fx"

	travisapi "github.com/nodejitsu/webhooks/adapters/travis"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/providers/bitbucket"
	"github.com/nodejitsu/webhooks/providers/gitea"
	"github.com/nodejitsu/webhooks/providers/github"
	"github.com/nodejitsu/webhooks/providers/gitlab"
	"github.com/nodejitsu/webhooks/providers/travis"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// deployModule provides the deploy use case and runs its worker.
func deployModule(cfg config.Config) fx.Option {
	return fx.Module("deploy",
		fx.Provide(
			func(
				store deploy.Store, queue deploy.Queue, watcher deploy.Watcher, outbox deploy.Outbox, accounts deploy.Accounts,
				source deploy.Source, platform deploy.Platform, client *nodejitsu.Client, log *slog.Logger,
			) (deploy.Options, error) {
				o := deployOptions(cfg)
				o.Store, o.Queue, o.Watcher, o.Outbox, o.Accounts = store, queue, watcher, outbox, accounts
				o.Source, o.Platform, o.Logger = source, platform, log
				var err error
				if o.TravisKeys, err = travisKeys(cfg, log); err == nil {
					o.Notifiers, err = notifiers(cfg, client)
				}
				return o, err
			},
			deploy.New,
			fx.Annotate(
				deploy.NewWorker,
				fx.OnStart((*deploy.Worker).Start),
				fx.OnStop(func(ctx context.Context, w *deploy.Worker) error {
					ctx, cancel := share(ctx, cfg.ShutdownTimeout)
					defer cancel()
					return w.Stop(ctx)
				}),
			),
		),
		fx.Invoke(func(*deploy.Worker) {}),
	)
}

// deployOptions returns the options that are settings, without the ports.
func deployOptions(cfg config.Config) deploy.Options {
	return deploy.Options{
		// Those that others imitate come after them.
		Providers: []deploy.Provider{
			gitlab.Provider{}, bitbucket.Provider{}, gitea.Provider{}, github.Provider{SHA1: cfg.GitHubSHA1}, travis.Provider{},
		},
		Forges:       forges(cfg.GitHubURL),
		TravisConfig: travisConfig,
		AuthTimeout:  cfg.AuthTimeout, HoldTimeout: cfg.HoldTimeout, Lease: cfg.Lease, RetryDelays: cfg.RetryDelays,
		Workers: cfg.Workers, UploadTimeout: cfg.UploadTimeout, BaseURL: cfg.BaseURL,
		Gzip:  fastGzip(),
		NewID: newID, Jitter: rand.Float64,
	}
}

// forges returns the hosts whose repositories GitHub's API at a URL serves, which is
// the default if the URL is empty. An API on this machine is a simulator, or a proxy,
// of github.com.
func forges(api string) []string {
	u, err := url.Parse(api)
	if err != nil || u.Host == "" {
		return []string{"github.com"}
	}
	host := strings.TrimPrefix(strings.ToLower(u.Host), "api.")
	if loopback(u.Hostname()) {
		return []string{"github.com", host}
	}
	return []string{host}
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// travisKeys returns the keys of the settings, or else those of Travis CI's API.
func travisKeys(cfg config.Config, log *slog.Logger) (func(context.Context, bool) ([]core.Secret, error), error) {
	pinned, err := cfg.TravisKeys()
	if err != nil {
		return nil, err
	}
	if len(pinned) > 0 {
		return func(context.Context, bool) ([]core.Secret, error) { return pinned, nil }, nil
	}
	keys, err := travisapi.New(travisapi.Options{URL: cfg.TravisURL, PrivateHosts: cfg.PrivateHosts, Logger: log})
	if err != nil {
		return nil, err
	}
	return keys.Known, nil
}

// travisConfig returns what a .travis.yml says about webhooks.
func travisConfig(yml []byte, branch string) (notifies bool, reason string, err error) {
	c, err := travis.ParseConfig(yml)
	if err != nil {
		return false, "", err
	}
	notifies, reason = c.Notifies(branch)
	return notifies, reason, nil
}

// newUUID returns a UUID of version 7, which sorts by time.
func newUUID() string { return uuid.Must(uuid.NewV7()).String() }

// newID returns an id for an entry: a UUID as 32 hex digits.
func newID() string {
	id := uuid.Must(uuid.NewV7())
	return hex.EncodeToString(id[:])
}

const (
	startTimeout = 60 * time.Second // restarting many apps takes a while
	stopReserve  = 30 * time.Second // for what stops after the worker
)

// share limits the time that one part takes to stop. Else the parts after it, such
// as the store, would not be closed in time.
func share(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
