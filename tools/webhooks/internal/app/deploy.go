package app

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/metrics"
	"github.com/nodejitsu/webhooks/adapters/traces"
	travisapi "github.com/nodejitsu/webhooks/adapters/travis"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
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
				forges map[string]deploy.Forge, platform deploy.Platform, client *nodejitsu.Client, entries status.Log, m *metrics.Metrics, tracer *traces.Traces, log *slog.Logger,
			) (deploy.Options, error) {
				o := deployOptions(cfg)
				o.Store, o.Queue, o.Watcher, o.Outbox, o.Accounts = store, queue, watcher, outbox, accounts
				o.Forges, o.Platform, o.Logger = forges, platform, log
				if m != nil {
					o.Observer = m
				}
				if tracer != nil {
					o.Tracer = tracer
				}
				var err error
				if o.Keys, err = providerKeys(cfg, log); err == nil {
					o.Notifiers, err = notifiers(cfg, client, accounts, entries)
				}
				return o, err
			},
			deploy.New,
			fx.Annotate(
				deploy.NewWorker,
				fx.OnStart((*deploy.Worker).Start),
				fx.OnStop(func(ctx context.Context, w *deploy.Worker) error { return stopWithin(ctx, cfg.ShutdownTimeout, w.Stop) }),
			),
		),
		fx.Invoke(func(*deploy.Worker) {}, recordEvents),
	)
}

// recordEvents records the events of the platform.
func recordEvents(life fx.Lifecycle, client *nodejitsu.Client, service *deploy.Service, log *slog.Logger) {
	f := &follower{client: client, log: log, record: func(ctx context.Context, h deploy.Happened) error {
		_, err := service.Record(ctx, newUUID(), h)
		return err
	}}
	life.Append(fx.StartStopHook(f.start, f.end))
}

// deployOptions returns the options that are settings, without the ports.
func deployOptions(cfg config.Config) deploy.Options {
	return deploy.Options{
		// Those that others imitate come after them.
		Providers: []deploy.Provider{
			gitlab.Provider{}, bitbucket.Provider{DataCenter: dataCenter(cfg.Forges)}, gitea.Provider{}, github.Provider{SHA1: cfg.GitHubSHA1}, travis.Provider{},
		},
		Gates:       []deploy.Gate{travis.Gate{}},
		AuthTimeout: cfg.AuthTimeout, HoldTimeout: cfg.HoldTimeout, GateInterval: cfg.GateInterval, Lease: cfg.Lease, RetryDelays: cfg.RetryDelays,
		Workers: cfg.Workers, UploadTimeout: cfg.UploadTimeout, BaseURL: cfg.BaseURL,
		Gzip:  fastGzip(),
		NewID: newID, Jitter: rand.Float64,
	}
}

// providerKeys returns the keys of the providers that sign deliveries with keys of
// their own: Travis CI's are those of the settings, or else those of its API.
func providerKeys(cfg config.Config, log *slog.Logger) (map[core.Provider]deploy.KeySource, error) {
	pinned, err := cfg.TravisKeys()
	if err != nil {
		return nil, err
	}
	if len(pinned) > 0 {
		return map[core.Provider]deploy.KeySource{core.ProviderTravis: pinnedKeys(pinned)}, nil
	}
	keys, err := travisapi.New(travisapi.Options{URL: cfg.TravisURL, PrivateHosts: cfg.PrivateHosts, Logger: log})
	if err != nil {
		return nil, err
	}
	return map[core.Provider]deploy.KeySource{core.ProviderTravis: keys}, nil
}

// pinnedKeys are keys that do not change.
type pinnedKeys []core.Secret

// Keys implements deploy.KeySource.
func (k pinnedKeys) Keys(context.Context, bool) ([]core.Secret, error) { return k, nil }

// newUUID returns a UUID of version 7, which sorts by time.
func newUUID() string { return uuid.Must(uuid.NewV7()).String() }

// newID returns an id for an entry, 32 hex digits: a UUID that sorts by time, but with
// a second half that is random throughout. It is the id of a trace too, and samplers
// expect that of it (w3.org/TR/trace-context-2, "Random Trace ID Flag").
func newID() string {
	id := uuid.Must(uuid.NewV7())
	_, _ = cryptorand.Read(id[8:]) // never fails
	return hex.EncodeToString(id[:])
}

// startTimeout is the time limit of a start. Restarting many apps takes a while.
const startTimeout = 60 * time.Second
