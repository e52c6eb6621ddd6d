package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

func newConfig(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "Check the settings and show them",
		Long:    "Reads the settings as `webhooks serve` would, reports all faults, and shows what is in force.",
		Example: `  webhooks config --config /etc/webhooks.yml`,
		Args:    exactly(0),
	}
	config.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		values, err := config.Values(cmd.Flags(), streams.Environ)
		if err != nil {
			return &usageError{err}
		}
		var failure error
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if value, there := values[f.Name]; there && failure == nil {
				_, failure = fmt.Fprintf(streams.Stdout, "%s: %s\n", f.Name, strings.Trim(fmt.Sprint(value), "[]"))
			}
		})
		return failure
	}
	return cmd
}
