package cli

import (
	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

func newConfig(streams IO) *cobra.Command {
	return group(&cobra.Command{
		Use:   "config",
		Short: "Check and show the settings",
		Long: `Reads the settings as "webhooks serve" does: flags over environment variables
over the file that --config names.`,
		Example: `  webhooks config check --config /etc/webhooks.yml
  webhooks config show`,
	}, newConfigCheck(streams), newConfigShow(streams))
}

func newConfigCheck(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Report every problem of the settings",
		Long:    "Reports every problem of the settings, and exits with code 2 if there is one. Variables\nof the environment that begin with WEBHOOKS_ and are not read are listed.",
		Example: "  webhooks config check --config /etc/webhooks.yml",
		Args:    exactly(0),
	}
	settings := config.Declare(cmd.Flags())
	p := newPrinter(cmd, streams)
	cmd.RunE = func(*cobra.Command, []string) error {
		if _, err := load(settings, streams); err != nil {
			return err
		}
		unknown := settings.Unknown(streams.Environ)
		for _, variable := range unknown {
			p.say("warning: %s is not a setting, and is ignored; see `webhooks serve --help`", variable)
		}
		return p.done(map[string]any{"valid": true, "ignored": append([]string{}, unknown...)}, "The settings are valid.")
	}
	return cmd
}

func newConfigShow(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the settings in force",
		Long:  "Shows every setting with its value in force. Secrets are in files of their own and are not shown.",
		Example: `  webhooks config show
  webhooks config show --output json | jq -r '."apps-domain"'`,
		Args: exactly(0),
	}
	settings := config.Declare(cmd.Flags())
	p := newPrinter(cmd, streams)
	cmd.RunE = func(*cobra.Command, []string) error {
		if _, err := load(settings, streams); err != nil {
			return err
		}
		all, table := map[string]string{}, [][]string{}
		for _, value := range settings.Values() {
			all[value[0]] = value[1]
			table = append(table, []string{value[0], value[1]})
		}
		return p.result(all, func() error { return p.table(table) })
	}
	return cmd
}
