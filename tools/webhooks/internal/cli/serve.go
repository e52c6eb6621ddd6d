package cli

import (
	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/app"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

func newServe(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server: the webhooks API and the embedded platform",
		Long: `Runs the webhooks API and, unless --platform-url names another, the embedded
platform, which builds and runs the apps. It prints its addresses when it accepts
connections on all of them. Each setting is a flag, an environment variable
(--github-url is WEBHOOKS_GITHUB_URL) or a key of the YAML file that --config
names, in this order. The embedded platform needs Linux.

The API and the apps share one address unless --apps-listen sets another: a host
name below --apps-domain, or a domain of an app, is served by the app; the
platform's API is below /platform. --domain is all that production needs: DNS
records of the domain and of *.domain must point to this machine.`,
		Example: `  webhooks serve
  webhooks serve --listen 127.0.0.1:9000 --data ./data --log-format console
  webhooks serve --domain example.com                    # ports 443 and 80, certificates by ACME
  webhooks serve --domain example.com --behind-proxy     # a proxy on this machine terminates TLS
  webhooks serve --listen :443 --apps-listen :8443 --acme-domains hooks.example.com --apps-domain apps.example.com`,
		Args: exactly(0),
	}
	return runs(cmd, streams, app.RoleServe)
}

func newPlatform(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "platform",
		Short: "Run the platform alone, for webhooks servers elsewhere",
		Long: `Runs the platform, which builds and runs apps, without the webhooks API. A server
elsewhere uses it by --platform-url and --platform-key-file, a copy of the
platform's key file (DATA/platform/platform.key, written at the first start).`,
		Example: `  webhooks platform --platform-listen 10.0.0.5:8001 --data /srv/platform
  webhooks platform --platform-listen 10.0.0.5:8001 --platform-key-file key`,
		Args: exactly(0),
	}
	return runs(cmd, streams, app.RolePlatform)
}

// runs makes cmd run a server in a role until a signal stops it.
func runs(cmd *cobra.Command, streams IO, role app.Role) *cobra.Command {
	cmd.Annotations = map[string]string{noOutput: "a server: its log has --log-format"}
	settings := config.Declare(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(settings, streams)
		if err != nil {
			return err
		}
		if code := app.Run(cmd.Context(), role, cfg, streams.Stdout, streams.Stderr); code != 0 {
			return exitCode(code)
		}
		return nil
	}
	return cmd
}
