package cli

import (
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

// secretInput is a secret that a command needs.
type secretInput struct {
	what     string      // for the prompt
	flag     string      // names the flag with the file, in messages
	variable string      // of the environment, without the prefix
	file     string      // value of the flag; - is stdin
	stored   core.Secret // from a login; none if zero
}

// read returns the secret: from a file, the environment, a login or a prompt. It is
// never an argument, which others could see in the process list.
func (i secretInput) read(ctx context.Context, streams IO) (core.Secret, error) {
	switch {
	case i.file == "-":
		return i.firstLine(streams.Stdin)
	case i.file != "":
		opened, err := os.Open(i.file)
		if err != nil {
			return core.Secret{}, fmt.Errorf("--%s: %w", i.flag, err)
		}
		defer opened.Close() //nolint:errcheck // only read
		return i.firstLine(opened)
	}
	if value := config.Variable(streams.Environ, i.variable); value != "" {
		return core.NewSecret(value), nil
	}
	if !i.stored.IsZero() {
		return i.stored, nil
	}
	terminal, ok := terminalOf(streams.Stdin)
	if !ok {
		return core.Secret{}, &usageError{fmt.Errorf("cannot prompt for it, because stdin is not a terminal: use WEBHOOKS_%s or --%s", i.variable, i.flag)}
	}
	before, err := term.GetState(terminal)
	if err != nil {
		return core.Secret{}, err
	}
	_, _ = fmt.Fprintf(streams.Stderr, "%s: ", i.what)
	typed, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(terminal) })
	_, _ = fmt.Fprintln(streams.Stderr)
	if ctx.Err() != nil {
		return core.Secret{}, errors.Join(ctx.Err(), term.Restore(terminal, before))
	}
	if err == nil && len(typed) == 0 {
		err = &usageError{errors.New("nothing was typed")}
	}
	return core.NewSecret(string(typed)), err
}

// firstLine reads the secret from a file: its first line or, from stdin, the next one.
func (i secretInput) firstLine(r io.Reader) (core.Secret, error) {
	line, err := readLine(r)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return core.Secret{}, fmt.Errorf("--%s: %w", i.flag, err)
	case line == "" && i.file == "-":
		return core.Secret{}, &usageError{fmt.Errorf("--%s: no line on stdin: each flag with - reads one, the current password or code before the new password", i.flag)}
	case line == "":
		return core.Secret{}, &usageError{fmt.Errorf("--%s: the first line is empty", i.flag)}
	}
	return core.NewSecret(line), nil
}

// readLine reads a line, and nothing of what follows it. It returns io.EOF only if there
// is none.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); len(line) < maxCredential; {
		n, err := r.Read(one)
		switch {
		case n > 0 && one[0] == '\n', errors.Is(err, io.EOF) && len(line) > 0:
			return strings.TrimRight(string(line), "\r"), nil
		case n > 0:
			line = append(line, one[0])
		case err != nil:
			return "", err
		}
	}
	return string(line), nil
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
	answer, err := interruptible(ctx, func() (string, error) { return readLine(streams.Stdin) })
	switch {
	case errors.Is(err, io.EOF):
		_, _ = fmt.Fprintln(streams.Stderr)
		return false, &usageError{errors.New("no answer on stdin: use --yes in a script")}
	case err != nil:
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
