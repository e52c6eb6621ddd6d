package app

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/bitbucket"
	"github.com/nodejitsu/webhooks/adapters/gitea"
	"github.com/nodejitsu/webhooks/adapters/github"
	"github.com/nodejitsu/webhooks/adapters/gitlab"
	"github.com/nodejitsu/webhooks/adapters/outgoing"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
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
			func(lc fx.Lifecycle, gh *github.Client, log *slog.Logger) (map[string]deploy.Forge, []auth.Forge, connect.Options, error) {
				all := []forge{gh}
				for _, setting := range cfg.Forges {
					f, err := openForge(setting, cfg.PrivateHosts, log)
					if err != nil {
						return nil, nil, connect.Options{}, err
					}
					all = append(all, f)
				}
				byHost := map[string]deploy.Forge{}
				hooks := connect.Options{
					Forges: map[string]connect.Forge{}, Kinds: map[string]string{}, Secret: func() core.Secret { return core.NewSecret(rand.Text()) },
				}
				var pairings []auth.Forge
				for _, f := range all {
					lc.Append(fx.StopHook(f.Close))
					pairing := f.Pairing()
					pairings = append(pairings, pairing)
					if hooks.Kinds[pairing.Kind] == "" {
						hooks.Kinds[pairing.Kind] = pairing.Host
					}
					for _, host := range f.Hosts() {
						if byHost[host] != nil {
							return nil, nil, connect.Options{}, fmt.Errorf("--forges: %s is named twice", host)
						}
						byHost[host], hooks.Forges[host] = f, f
					}
				}
				return byHost, pairings, hooks, nil
			},
			func(o connect.Options, accounts connect.Accounts, entries status.Log, log *slog.Logger) *connect.Service {
				o.Accounts, o.Logger, o.Base, o.Repositories = accounts, log, cfg.BaseURL, entries
				o.Poster = outgoing.NewPoster(outgoing.PosterOptions{Base: cfg.BaseURL, PrivateHosts: cfg.PrivateHosts})
				return connect.New(o)
			},
		),
	)
}

// forge is what each adapter for a forge is.
type forge interface {
	deploy.Forge
	connect.Forge
	Hosts() []string
	Pairing() auth.Forge
	Close()
}

// openForge returns the forge of a setting such as "gitlab=https://git.example.com".
func openForge(setting string, private []string, log *slog.Logger) (forge, error) {
	kind, address, _ := strings.Cut(setting, "=")
	switch kind {
	case "gitlab":
		return gitlab.New(gitlab.Options{URL: address, PrivateHosts: private, Logger: log})
	case dataCenterKind:
		return bitbucket.NewDataCenter(bitbucket.DataCenterOptions{URL: address, PrivateHosts: private, Logger: log})
	case "bitbucket":
		return bitbucket.New(bitbucket.Options{URL: cmp.Or(address, bitbucket.DefaultURL), PrivateHosts: private, Logger: log})
	default: // "gitea", "forgejo" and "gogs", see config
		return gitea.New(gitea.Options{URL: address, Gogs: kind == "gogs", PrivateHosts: private, Logger: log})
	}
}

const dataCenterKind = "bitbucket-dc"

// dataCenter returns the host of the Bitbucket Data Center, whose deliveries do not say
// it; "" if there is none, or more than one.
func dataCenter(forges []string) (host string) {
	for _, setting := range forges {
		kind, address, _ := strings.Cut(setting, "=")
		if kind != dataCenterKind {
			continue
		}
		if host != "" {
			return ""
		}
		u, err := url.Parse(address)
		if err != nil {
			return ""
		}
		host = strings.ToLower(u.Host)
	}
	return host
}
