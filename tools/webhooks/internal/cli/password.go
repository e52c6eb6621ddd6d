package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/nodejitsu/webhooks/core"
)

// readPassword asks for a new password twice where a person types, and takes
// one line of stdin where fromStdin says so. A password is never an argument:
// it would stand in the process list.
func readPassword(streams IO, fromStdin bool) (core.Secret, error) {
	if fromStdin {
		line, err := bufio.NewReader(streams.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return acceptable(strings.TrimRight(line, "\r\n"))
	}
	terminal, ok := streams.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) { //nolint:gosec // a descriptor is small
		return "", &usageError{errors.New("stdin is no terminal to ask for a password; give it on stdin with --password-stdin")}
	}
	ask := func(prompt string) (string, error) {
		_, _ = fmt.Fprint(streams.Stderr, prompt)
		text, err := term.ReadPassword(int(terminal.Fd())) //nolint:gosec // a descriptor is small
		_, _ = fmt.Fprintln(streams.Stderr)
		return string(text), err
	}
	first, err := ask("Password: ")
	if err != nil {
		return "", err
	}
	second, err := ask("Again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return acceptable(first)
}

func acceptable(password string) (core.Secret, error) {
	if len(password) < 8 {
		return "", &usageError{errors.New("the password has less than 8 characters; choose a longer one")}
	}
	return core.Secret(password), nil
}
