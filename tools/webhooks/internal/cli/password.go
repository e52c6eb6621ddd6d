package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"github.com/nodejitsu/webhooks/core"
)

// readPassword reads a new password: the first line of stdin if fromStdin is
// set, else what a person types twice. A password is never an argument, which
// others could see in the process list.
func readPassword(streams IO, fromStdin bool) (core.Secret, error) {
	if fromStdin {
		line, err := bufio.NewReader(streams.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return core.Secret{}, err
		}
		return newPassword(strings.TrimRight(line, "\r\n"))
	}
	terminal, ok := terminalOf(streams.Stdin)
	if !ok {
		return core.Secret{}, &usageError{errors.New("cannot prompt for a password, because stdin is not a terminal: use --password-stdin")}
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
