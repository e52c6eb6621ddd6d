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
platform that builds and runs the apps. The addresses are printed when all of
it listens. Each setting may also stand in the environment (--github-url is
WEBHOOKS_GITHUB_URL) or in a YAML file named by --config.`,
		Example: `  webhooks serve
  webhooks serve --listen 127.0.0.1:9000 --data ./data --log-format console
  webhooks serve --apps-domain apps.example.com --base-url https://webhooks.example.com`,
		Args: exactly(0),
	}
	return runs(cmd, streams, app.RoleServe)
}

func newPlatform(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "platform",
		Short: "Run the platform alone, for webhooks servers elsewhere",
		Long: `Runs the platform that builds and runs apps, without the webhooks API. A server
elsewhere uses it by --platform-url and a copy of its key file
(DATA/platform/platform.key, made at the first start).`,
		Example: `  webhooks platform --platform-listen 10.0.0.5:8001 --data /srv/platform
  webhooks platform --platform-listen 10.0.0.5:8001 --platform-key-file key`,
		Args: exactly(0),
	}
	return runs(cmd, streams, app.RolePlatform)
}

// runs makes cmd run the process in a role until it is told to stop.
func runs(cmd *cobra.Command, streams IO, role app.Role) *cobra.Command {
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
