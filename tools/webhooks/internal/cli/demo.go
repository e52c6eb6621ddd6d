package cli

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/demo"
)

func newDemo(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See all of it happen, on this machine",
		Long: `Starts a server on temporary data and a stand-in for GitHub over real git
repositories, pushes to two of them, lets Travis CI report on one, shows the
changes as they come, and ends with both apps answering. Needs git, Node.js and
npm, and the npm registry for the examples' one dependency.`,
		Example: `  webhooks demo          # goes on serving until Ctrl-C
  webhooks demo --once   # ends by itself; exit code 0 only if all of it worked`,
		Args: exactly(0),
	}
	once := cmd.Flags().Bool("once", false, "end by itself, with exit code 0 only if all of it worked")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		program, err := os.Executable()
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return demo.Run(ctx, demo.Options{Program: program, Once: *once, Out: streams.Stdout})
	}
	return cmd
}
