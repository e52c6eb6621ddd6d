package app

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/github"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// forgesModule provides the forges that repositories are read from and accounts are
// paired with.
func forgesModule(cfg config.Config) fx.Option {
	return fx.Module("forges",
		fx.Provide(
			func(log *slog.Logger) (*github.Client, error) {
				return github.New(github.Options{
					BaseURL: cfg.GitHubURL, ArchiveHosts: cfg.GitHubArchiveHosts, Logger: log,
				})
			},
			func(gh *github.Client) (map[string]deploy.Forge, []auth.Forge) {
				forges := map[string]deploy.Forge{}
				for _, host := range gh.Hosts() {
					forges[host] = gh
				}
				return forges, []auth.Forge{gh.Pairing()}
			},
		),
	)
}
