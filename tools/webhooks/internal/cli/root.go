package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// IO is what a command is called with.
type IO struct {
	Args    []string
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// Run carries out one command line and returns the exit code.
func Run(ctx context.Context, streams IO, version string) int {
	root := newRoot(streams, version)
	root.SetArgs(streams.Args)
	root.SetIn(streams.Stdin)
	root.SetOut(streams.Stdout)
	root.SetErr(streams.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if code, said := errors.AsType[exitCode](err); said {
		return int(code)
	}
	_, _ = fmt.Fprintln(streams.Stderr, "webhooks:", err)
	if _, usage := errors.AsType[*usageError](err); usage {
		return 2
	}
	return 1
}

// exitCode ends a command that has said everything already.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is a call that no command understands.
type usageError struct{ error }

func (u *usageError) Unwrap() error { return u.error }

func newRoot(streams IO, version string) *cobra.Command {
	root := &cobra.Command{
		Use:   "webhooks",
		Short: "Turns a git push into a running Node.js app, and shows it happen",
		Long: `webhooks is a continuous-deployment server. GitHub posts a push; it waits for
Travis CI where the repository asks for that, fetches the code, builds and
starts the app, and streams the log as it goes.`,
		Example: `  webhooks serve                       # API on :8080, apps on :8000
  webhooks users add dscape            # somebody who may deploy
  webhooks demo                        # see all of it happen, on this machine`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	return group(root, newServe(streams), newPlatform(streams), newUsers(streams), newTokens(streams), newSecrets(streams), newKeys(streams),
		newAdmin(streams), newDemo(streams), newConfig(streams),
		newDeploy(streams), newApps(streams), newLogs(streams), newRollback(streams))
}

// group makes cmd the head of commands. By itself it shows what they are, and
// it names one that is none, whatever flags stand beside it.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(commands...)
	cmd.FParseErrWhitelist.UnknownFlags = true
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return &usageError{fmt.Errorf("%s has no command %q; see `%[1]s --help`", cmd.CommandPath(), args[0])}
	}
	return cmd
}

// load reads the settings for cmd, whose flags they are.
func load(cmd *cobra.Command, streams IO) (config.Config, error) {
	cfg, err := config.Load(cmd.Flags(), streams.Environ)
	if err != nil {
		return config.Config{}, &usageError{err}
	}
	return cfg, nil
}

// exactly is cobra.ExactArgs as a wrong call.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return &usageError{fmt.Errorf("%s takes %d argument(s), not %d; see `%[1]s --help`", cmd.CommandPath(), n, len(args))}
		}
		return nil
	}
}
