package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

// Run executes a command line and returns the exit code.
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

// Root returns the command of the program, for its manual.
func Root() *cobra.Command { return newRoot(IO{}, "") }

// exitCode is the failure of a command that has printed its message already.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is a wrong command line.
type usageError struct{ error }

func (u *usageError) Unwrap() error { return u.error }

func newRoot(streams IO, version string) *cobra.Command {
	root := &cobra.Command{
		Use:   "webhooks",
		Short: "Turn a git push into a running Node.js app, and follow it live",
		Long: `webhooks is a continuous-deployment server. GitHub posts a push; the server waits
for CI if the repository asks for it, fetches the code, builds and starts the
app, and streams each step.`,
		Example: `  webhooks serve                       # http://localhost:8080, apps at http://NAME.localhost:8080
  webhooks users add dscape            # a user who may deploy
  webhooks deploy --user dscape        # this folder, without a push`,
		Version:       versionOf(version).Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		hint := fmt.Sprintf("; see `%s --help`", cmd.CommandPath())
		if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
			var names []string
			cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
			if best := config.Similar(unknown.GetSpecifiedName(), names); best != "" {
				hint = "; did you mean --" + best + "?"
			}
		}
		return &usageError{fmt.Errorf("%w%s", err, hint)}
	})
	group(root, newServe(streams), newPlatform(streams), newUsers(streams), newTokens(streams), newSecrets(streams), newNotify(streams), newKeys(streams),
		newAdmin(streams), newConfig(streams),
		newLogin(streams), newLogout(streams), newContexts(streams), newOpen(streams), newDoctor(streams),
		newStatus(streams), newTail(streams), newEntry(streams), newRelease(streams), newRedeliver(streams), newCancel(streams),
		newPair(streams), newConnect(streams), newDeploy(streams), newApps(streams), newLogs(streams), newRun(streams), newRollback(streams), newVersion(streams, version))
	addCompletion(root)
	return root
}

// addCompletion adds the commands that print the completions, with examples as all
// others have them.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		group(cmd)
		cmd.Example = "  source <(webhooks completion bash)          # in this shell"
		for _, shell := range cmd.Commands() {
			shell.Example = map[string]string{
				"bash":       "  source <(webhooks completion bash)          # in this shell\n  webhooks completion bash | sudo tee /etc/bash_completion.d/webhooks >/dev/null",
				"zsh":        "  source <(webhooks completion zsh)           # in this shell\n  webhooks completion zsh >\"${fpath[1]}/_webhooks\"",
				"fish":       "  webhooks completion fish | source           # in this shell\n  webhooks completion fish >~/.config/fish/completions/webhooks.fish",
				"powershell": "  webhooks completion powershell | Out-String | Invoke-Expression",
			}[shell.Name()]
		}
	}
}

// group adds commands below cmd, which by itself prints its help. An unknown
// command is an error whatever flags it is called with.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(commands...)
	cmd.FParseErrWhitelist.UnknownFlags = true
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2 // at most, for a suggestion
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		hint := fmt.Sprintf("; see `%s --help`", cmd.CommandPath())
		if similar := suggestions(cmd, args[0]); len(similar) > 0 {
			hint = "; did you mean " + strings.Join(similar, " or ") + "?"
		}
		return &usageError{fmt.Errorf("%s has no command %q%s", cmd.CommandPath(), args[0], hint)}
	}
	return cmd
}

// suggestions returns what name may be a misspelling of: commands below cmd or, if
// there are none, the paths of commands of that very name: of all for the program
// itself, of those directly below the program for a group.
func suggestions(cmd *cobra.Command, name string) []string {
	if similar := cmd.SuggestionsFor(name); len(similar) > 0 {
		return similar
	}
	root := cmd.Root()
	var found []string
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Name() == name && c.IsAvailableCommand() {
			found = append(found, "`"+c.CommandPath()+"`")
		}
		for _, below := range c.Commands() {
			if cmd == root || c == root {
				visit(below)
			}
		}
	}
	visit(root)
	return found[:min(len(found), 4)]
}

// load reads the settings.
func load(settings *config.Settings, streams IO) (config.Config, error) {
	cfg, err := settings.Load(streams.Environ)
	if err != nil {
		return config.Config{}, &usageError{err}
	}
	return cfg, nil
}

// exactly is cobra.ExactArgs with a usageError.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return &usageError{fmt.Errorf("%s takes %s, not %d: %s", cmd.CommandPath(), count(n, "argument", "arguments"), len(args), cmd.UseLine())}
		}
		return nil
	}
}
