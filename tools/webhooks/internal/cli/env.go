package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core/redact"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

func newAppsEnv(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "env",
		Short: "List, set and delete the variables of an app's environment",
		Long: `Changes the environment that an app is started with. Each deployment overwrites
the variables that package.json has in env. A change takes effect at the next
start.

The platform sets ` + strings.Join(platformSets(), ", ") + `,
whatever the app's environment has for them; NODE_ENV is production and LANG is
C.UTF-8 unless the app sets them.`,
		Example: `  webhooks apps env list hello --user dscape
  webhooks apps env set hello GREETING=hi --restart --user dscape`,
	}
	return group(cmd, newAppsEnvList(streams), newAppsEnvSet(streams), newAppsEnvDelete(streams))
}

func newAppsEnvList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list APP",
		Short: "List the variables with their values",
		Long: `Lists the variables of an app's environment by name, each as NAME=VALUE. The value
of a secret is *** unless --reveal is set: of a variable whose name looks like one,
such as NPM_TOKEN, and of a URL with a password.`,
		Example: `  webhooks apps env list hello --user dscape
  webhooks apps env list hello --reveal --user dscape`,
		Args: exactly(1),
	}
	reveal := cmd.Flags().Bool("reveal", false, "show the values of secrets too")
	return asUser(cmd, streams, shortCall, func(ctx context.Context, s *session, args []string) error {
		return s.withApp(ctx, args[0], func(app nodejitsu.App) error {
			env := concealed(app.Env)
			if *reveal {
				maps.Copy(env, app.Env)
			}
			return s.result(env, func() error { return s.showEnv(env) })
		})
	})
}

func newAppsEnvSet(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set APP NAME=VALUE…",
		Short: "Set variables",
		Long: `Sets variables of an app's environment; the others stay as they are. Read secrets
from a file by --file, or from stdin by --file -, with a NAME=VALUE on each line:
others can see arguments in the process list.`,
		Example: `  webhooks apps env set hello GREETING=hi COLOUR=blue --user dscape
  webhooks apps env set hello --file .env --restart --user dscape`,
		Args: atLeast(1),
	}
	file := cmd.Flags().String("file", "", "file with a NAME=VALUE on each line, - for stdin")
	restart := restartFlag(cmd)
	return asUser(cmd, streams, longCall, func(ctx context.Context, s *session, args []string) error {
		changes := nodejitsu.Env{}
		if *file != "" {
			if err := readEnv(changes, streams, *file); err != nil {
				return err
			}
		}
		for _, pair := range args[1:] {
			if err := setPair(changes, pair); err != nil {
				return &usageError{err}
			}
		}
		for _, name := range platformSets() {
			if _, ok := changes[name]; ok {
				s.say("warning: the platform sets %s itself, so the app does not get your value", name)
			}
		}
		if len(changes) == 0 {
			return &usageError{errors.New("nothing to set: want NAME=VALUE, or a file by --file")}
		}
		return s.changeEnv(ctx, args[0], *restart, func(env nodejitsu.Env) error {
			maps.Copy(env, changes)
			return nil
		})
	})
}

func newAppsEnvDelete(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete APP NAME…",
		Short:   "Delete variables",
		Long:    "Deletes variables of an app's environment; the others stay as they are. If one of them does not exist, none is deleted.",
		Example: "  webhooks apps env delete hello GREETING --user dscape",
		Args:    atLeast(2),
	}
	restart := restartFlag(cmd)
	return asUser(cmd, streams, longCall, func(ctx context.Context, s *session, args []string) error {
		return s.changeEnv(ctx, args[0], *restart, func(env nodejitsu.Env) error {
			for _, name := range args[1:] {
				if _, ok := env[name]; !ok {
					return fmt.Errorf("no variable %.100q; see `webhooks apps env list %s`", name, args[0])
				}
			}
			for _, name := range args[1:] {
				delete(env, name)
			}
			return nil
		})
	})
}

func restartFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("restart", false, "restart the app if it runs, so that the change takes effect")
}

func atLeast(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return &usageError{fmt.Errorf("%s takes at least %s, not %d; see `%[1]s --help`", cmd.CommandPath(), count(n, "argument", "arguments"), len(args))}
		}
		return nil
	}
}

// changeEnv changes the environment of an app, which can only be written as a
// whole.
func (s *session) changeEnv(ctx context.Context, argument string, restart bool, change func(nodejitsu.Env) error) error {
	return s.withApp(ctx, argument, func(app nodejitsu.App) error {
		env := nodejitsu.Env{}
		maps.Copy(env, app.Env)
		if err := change(env); err != nil {
			return err
		}
		if err := s.client.UpdateApp(ctx, s.user, app.Name, map[string]any{"env": env}); err != nil {
			return err
		}
		switch {
		case restart && app.Running != nil:
			if err := s.client.RestartApp(ctx, s.user, app.Name); err != nil {
				return err
			}
		case app.Running != nil:
			s.say("The change takes effect after `webhooks apps restart %s`", app.Name)
		}
		return s.done(concealed(env), "%s has %s", app.Name, count(len(env), "variable", "variables"))
	})
}

func (s *session) showEnv(env nodejitsu.Env) error {
	s.say("Set by the platform and not listed: %s", strings.Join(platformSets(), ", "))
	for _, name := range sortedNames(env) {
		if err := s.printf("%s=%s\n", name, env[name]); err != nil {
			return err
		}
	}
	return nil
}

// concealed returns an environment with *** for the values of secrets.
func concealed(env nodejitsu.Env) nodejitsu.Env {
	shown := nodejitsu.Env{}
	for name, value := range env {
		if redact.Variable(name, value) {
			value = "***"
		}
		shown[name] = value
	}
	return shown
}

func sortedNames(env nodejitsu.Env) []string { return slices.Sorted(maps.Keys(env)) }

// platformSets returns the variables that the platform sets for each process,
// whatever the app's environment has for them.
func platformSets() []string {
	return []string{"PORT", "DATA_DIR", "HOME", "TMPDIR", "PATH", "SUBDOMAIN", "USER", "LOGNAME"}
}

// maxEnvFile is the size of the largest file of variables, in bytes, which is the
// limit of the platform for all variables.
const maxEnvFile = 64 << 10

// readEnv reads a file of variables. Empty lines and lines that begin with # are
// ignored; quotes are part of the value, because this is not a shell.
func readEnv(env nodejitsu.Env, streams IO, file string) error {
	in := streams.Stdin
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("--file: %w", err)
		}
		defer opened.Close() //nolint:errcheck // only read
		in = opened
	}
	lines := bufio.NewScanner(io.LimitReader(in, maxEnvFile+1))
	lines.Buffer(nil, maxEnvFile)
	read := 0
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if read += len(line) + 1; read > maxEnvFile {
			return fmt.Errorf("--file: the file is larger than %d KiB", maxEnvFile>>10)
		}
		if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		if err := setPair(env, line); err != nil {
			return fmt.Errorf("--file: line %d: want NAME=VALUE", number) // the line may be a secret
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("--file: %w", err)
	}
	return nil
}

func setPair(env nodejitsu.Env, pair string) error {
	name, value, ok := strings.Cut(pair, "=")
	if !ok || name == "" || strings.ContainsAny(name, " \t") {
		return errors.New("invalid variable: want NAME=VALUE, without spaces in the name")
	}
	env[name] = value
	return nil
}
