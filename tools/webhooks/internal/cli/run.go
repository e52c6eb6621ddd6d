package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

func newRun(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run APP COMMAND…",
		Short: "Run a command once as an app",
		Long: `Runs a command as the app, with the code and the environment of the version that
runs, in a process of its own without a port. Its output is printed as it comes, and
its exit code is the one of webhooks. Ctrl-C ends it. What is piped into webhooks, or
the file that is its input, is the input of the command.

A single argument is a command of the shell. Several are a program with its
arguments. Flags of webhooks come before APP; a -- after it is left out.`,
		Example: `  webhooks run --user dscape hello 'ls -l $DATA_DIR'
  webhooks run hello 'psql $DATABASE_URL' < changes.sql
  webhooks run hello npx prisma migrate status --schema db/schema.prisma`,
		Args:        atLeast(2),
		Annotations: map[string]string{noOutput: "prints what the command of the app prints"},
	}
	cmd.Flags().SetInterspersed(false) // what follows APP belongs to the command
	return asUser(cmd, streams, 0, func(ctx context.Context, s *session, args []string) error {
		if err := checkName("app", args[0]); err != nil {
			return err
		}
		words := args[1:]
		if words[0] == "--" {
			words = words[1:]
		}
		if len(words) == 0 {
			return &usageError{errors.New("there is no command after --")}
		}
		command := words[0]
		if len(words) > 1 {
			quoted := make([]string, len(words))
			for i, word := range words {
				quoted[i] = shellWord(word)
			}
			command = strings.Join(quoted, " ")
		}
		in := s.streams.Stdin
		if _, terminal := terminalOf(in); terminal {
			in = nil
		}
		code, err := s.client.RunCommand(ctx, s.user, args[0], command, in, s.streams.Stdout)
		if err != nil {
			return err
		}
		if code != 0 {
			return exitCode(code)
		}
		return nil
	})
}

// shellWord returns an argument as one word of a shell.
func shellWord(arg string) string {
	plain := strings.Trim(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./,:@%") == ""
	if plain && arg != "" {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
