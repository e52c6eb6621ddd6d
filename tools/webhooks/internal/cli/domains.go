package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

func newAppsDomains(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "domains",
		Short: "List, add and remove the domains of an app",
		Long: `Changes the domains of an app, besides its subdomain of the platform. A change takes
effect at once. Each deployment of a package.json with the field domains sets them
again. A DNS record of each domain must point to the platform.`,
		Example: `  webhooks apps domains list hello --user dscape
  webhooks apps domains add hello www.example.com --user dscape`,
	}
	return group(cmd,
		newAppsDomainsList(streams),
		newAppsDomainsChange(streams, "add", "Add domains", "  webhooks apps domains add hello www.example.com --user dscape",
			func(all, given []string) ([]string, error) { return append(all, given...), nil }),
		newAppsDomainsChange(streams, "remove", "Remove domains", "  webhooks apps domains remove hello www.example.com --user dscape",
			func(all, given []string) ([]string, error) {
				for _, domain := range given {
					i := slices.Index(all, domain)
					if i < 0 {
						return nil, fmt.Errorf("the app has no domain %.100q", domain)
					}
					all = slices.Delete(all, i, i+1)
				}
				return all, nil
			}))
}

func newAppsDomainsList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list APP",
		Short:   "List the domains",
		Long:    "Lists the domains of an app, besides its subdomain of the platform.",
		Example: "  webhooks apps domains list hello --user dscape",
		Args:    exactly(1),
	}
	return asUser(cmd, streams, shortCall, func(ctx context.Context, s *session, args []string) error {
		return s.withApp(ctx, args[0], func(app nodejitsu.App) error { return s.showDomains(app.Domains) })
	})
}

func newAppsDomainsChange(streams IO, use, short, example string, change func(all, given []string) ([]string, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " APP DOMAIN…", Short: short, Long: short + ", and prints all that the app has then.", Example: example, Args: atLeast(2),
	}
	return asUser(cmd, streams, shortCall, func(ctx context.Context, s *session, args []string) error {
		return s.withApp(ctx, args[0], func(app nodejitsu.App) error {
			domains, err := change(slices.Clone(app.Domains), args[1:])
			if err != nil {
				return err
			}
			slices.Sort(domains)
			domains = slices.Compact(domains)
			if domains == nil {
				domains = []string{} // null is not a list
			}
			if err := s.client.UpdateApp(ctx, s.user, app.Name, map[string]any{"domains": domains}); err != nil {
				return err
			}
			return s.showDomains(domains)
		})
	})
}

func (s *session) showDomains(domains []string) error {
	return s.result(append([]string{}, domains...), func() error {
		if len(domains) == 0 {
			s.say("no domains")
			return nil
		}
		return s.printf("%s\n", strings.Join(domains, "\n"))
	})
}
