package app

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/chat"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// statusModule provides the status use case.
func statusModule() fx.Option {
	return fx.Module("status",
		fx.Provide(fx.Annotate(
			func(log status.Log, feed status.Feed, logger *slog.Logger) *status.Service {
				return status.New(status.Options{Log: log, Feed: feed, Logger: logger})
			},
			fx.OnStart((*status.Service).Start),
			fx.OnStop((*status.Service).Stop),
		)),
	)
}

// authModule provides the auth use case.
func authModule(cfg config.Config) fx.Option {
	return fx.Module("auth", fx.Provide(func(accounts auth.Accounts, forges []auth.Forge) *auth.Service {
		return auth.New(auth.Options{Accounts: accounts, Forges: forges, Messenger: chat.New(chat.Options{PrivateHosts: cfg.PrivateHosts})})
	}))
}
