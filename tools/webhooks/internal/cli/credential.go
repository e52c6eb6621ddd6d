package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/nodejitsu/webhooks/core"
)

// maxCredential is the longest password or token that is read, in bytes.
const maxCredential = 4 << 10

// credential returns the password or API token of a user: from a file, the
// environment, or who sits at the terminal. It is never an argument: that would
// stand in the process list.
func credential(ctx context.Context, streams IO, file, user, host string) (core.Secret, error) {
	switch {
	case file == "-":
		return oneLine(streams.Stdin)
	case file != "":
		opened, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("--password-file: %w", err)
		}
		defer opened.Close() //nolint:errcheck // only read
		return oneLine(opened)
	}
	if value := variable(streams, "WEBHOOKS_PASSWORD"); value != "" {
		return core.Secret(value), nil
	}
	terminal, ok := terminalOf(streams.Stdin)
	if !ok {
		return "", &usageError{errors.New("stdin is no terminal to ask for your password; give it by WEBHOOKS_PASSWORD or --password-file")}
	}
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	_, _ = fmt.Fprintf(streams.Stderr, "Password of %s at %s: ", user, host)
	given, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(terminal) })
	_, _ = fmt.Fprintln(streams.Stderr)
	if ctx.Err() != nil {
		return "", errors.Join(ctx.Err(), term.Restore(terminal, before))
	}
	if err == nil && len(given) == 0 {
		err = &usageError{errors.New("the password is empty")}
	}
	return core.Secret(given), err
}

func oneLine(r io.Reader) (core.Secret, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxCredential)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", &usageError{errors.New("--password-file: its first line, the password, is empty")}
	}
	return core.Secret(line), nil
}

// terminalOf returns the descriptor of a stream that is a terminal.
func terminalOf(stream any) (descriptor int, ok bool) {
	file, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	descriptor = int(file.Fd()) //nolint:gosec // a descriptor is small
	return descriptor, term.IsTerminal(descriptor)
}

// confirmed asks a question that takes y or n, and n by default.
func confirmed(ctx context.Context, streams IO, question string) (bool, error) {
	_, _ = fmt.Fprintf(streams.Stderr, "%s [y/N] ", question)
	answer, err := interruptible(ctx, func() (string, error) {
		return bufio.NewReader(io.LimitReader(streams.Stdin, maxCredential)).ReadString('\n')
	})
	if errors.Is(err, io.EOF) && answer == "" {
		_, _ = fmt.Fprintln(streams.Stderr)
		return false, &usageError{errors.New("nobody answers; give --yes where nobody is asked")}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

// interruptible calls read, which a person may let wait for ever, until ctx
// ends. read then goes on, but the process ends, as what it was to tell is
// missing.
func interruptible[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := read()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
