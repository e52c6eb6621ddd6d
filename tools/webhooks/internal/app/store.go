package app

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// storeModule provides the ports that keep entries, queue and changes.
func storeModule(cfg config.Config) fx.Option {
	return fx.Module("store",
		fx.Provide(
			fx.Annotate(
				func(log *slog.Logger) *bolt.Store {
					return bolt.New(bolt.Options{Path: cfg.StorePath(), Logger: log})
				},
				fx.OnStart((*bolt.Store).Start),
				fx.OnStop((*bolt.Store).Stop),
			),
			func(s *bolt.Store) (deploy.Store, deploy.Queue, deploy.Watcher) { return s, s, s },
			func(s *bolt.Store) (status.Log, status.Feed) { return s, s },
			func(s *bolt.Store) Readiness { return s.Check },
		),
	)
}
