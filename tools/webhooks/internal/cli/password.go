package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/nodejitsu/webhooks/core"
)

// newPasswordFlag adds the flag for the file with a new password.
func newPasswordFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("new-password-file", "", "`file` with the new password, - for stdin, after the current password if that is read from it too; default: a prompt")
}

// readPassword reads a new password: the first line of the file or, if that is "",
// what a person types twice. A password is never an argument, which others could see
// in the process list.
func readPassword(ctx context.Context, streams IO, file string) (core.Secret, error) {
	if file != "" {
		password, err := secretInput{flag: "new-password-file", file: file}.read(ctx, streams)
		if err != nil {
			return core.Secret{}, err
		}
		return newPassword(password.Reveal())
	}
	terminal, ok := terminalOf(streams.Stdin)
	if !ok {
		return core.Secret{}, &usageError{errors.New("cannot prompt for a password, because stdin is not a terminal: use --new-password-file")}
	}
	prompt := func(text string) (string, error) {
		_, _ = fmt.Fprint(streams.Stderr, text)
		typed, err := term.ReadPassword(terminal)
		_, _ = fmt.Fprintln(streams.Stderr)
		return string(typed), err
	}
	first, err := prompt("New password: ")
	if err != nil {
		return core.Secret{}, err
	}
	second, err := prompt("Repeat it: ")
	if err != nil {
		return core.Secret{}, err
	}
	if first != second {
		return core.Secret{}, errors.New("the two passwords differ; nothing was changed")
	}
	return newPassword(first)
}

const minPassword = 8 // characters

func newPassword(password string) (core.Secret, error) {
	if len([]rune(password)) < minPassword {
		return core.Secret{}, &usageError{fmt.Errorf("the password has fewer than %d characters: choose a longer one", minPassword)}
	}
	return core.NewSecret(password), nil
}
