package app

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/github"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// githubModule provides the ports that GitHub implements.
func githubModule(cfg config.Config) fx.Option {
	return fx.Module("github",
		fx.Provide(
			func(log *slog.Logger) (*github.Client, error) {
				return github.New(github.Options{
					BaseURL: cfg.GitHubURL, ArchiveHosts: cfg.GitHubArchiveHosts, Logger: log,
				})
			},
			func(c *github.Client) (deploy.Source, auth.GitHub) { return c, c },
		),
	)
}
