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
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// maxCredential is the size of the longest password or token, in bytes.
const maxCredential = 4 << 10

// credential returns the password or API token of a user: from a file, the
// environment, a login or a prompt. It is never an argument, which others could see in
// the process list.
func credential(ctx context.Context, streams IO, file string, token core.Secret, user, host string) (core.Secret, error) {
	switch {
	case file == "-":
		return firstLine(streams.Stdin)
	case file != "":
		opened, err := os.Open(file)
		if err != nil {
			return core.Secret{}, fmt.Errorf("--password-file: %w", err)
		}
		defer opened.Close() //nolint:errcheck // only read
		return firstLine(opened)
	}
	if value := config.Variable(streams.Environ, "PASSWORD"); value != "" {
		return core.NewSecret(value), nil
	}
	if !token.IsZero() {
		return token, nil
	}
	terminal, ok := terminalOf(streams.Stdin)
	if !ok {
		return core.Secret{}, &usageError{errors.New("cannot prompt for your password, because stdin is not a terminal: use WEBHOOKS_PASSWORD or --password-file")}
	}
	before, err := term.GetState(terminal)
	if err != nil {
		return core.Secret{}, err
	}
	_, _ = fmt.Fprintf(streams.Stderr, "Password of %s at %s: ", user, host)
	typed, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(terminal) })
	_, _ = fmt.Fprintln(streams.Stderr)
	if ctx.Err() != nil {
		return core.Secret{}, errors.Join(ctx.Err(), term.Restore(terminal, before))
	}
	if err == nil && len(typed) == 0 {
		err = &usageError{errors.New("the password is empty")}
	}
	return core.NewSecret(string(typed)), err
}

// firstLine reads a password.
func firstLine(r io.Reader) (core.Secret, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxCredential)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return core.Secret{}, fmt.Errorf("--password-file: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return core.Secret{}, &usageError{errors.New("--password-file: the first line, which is the password, is empty")}
	}
	return core.NewSecret(line), nil
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

// confirmed asks a question that is answered by y or n; n is the default.
func confirmed(ctx context.Context, streams IO, question string) (bool, error) {
	_, _ = fmt.Fprintf(streams.Stderr, "%s [y/N] ", question)
	answer, err := interruptible(ctx, func() (string, error) {
		return bufio.NewReader(io.LimitReader(streams.Stdin, maxCredential)).ReadString('\n')
	})
	if errors.Is(err, io.EOF) && answer == "" {
		_, _ = fmt.Fprintln(streams.Stderr)
		return false, &usageError{errors.New("no answer on stdin: use --yes in a script")}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

// interruptible calls read, which may block forever, and returns its result or
// the end of ctx. In that case read goes on until the process ends, which is
// soon, because the command lacks its input.
func interruptible[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}
