// Githubsim is a stand-in for GitHub on this machine: its REST API over real
// git repositories, tarballs from a second address, and a webhook after each
// push. It is for development; package sim is the same for tests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `githubsim is a stand-in for GitHub: REST API, tarballs and webhooks over git repositories on disk.

Usage:
  githubsim --dir DIR [flags]            serve until interrupted
  githubsim pushed --dir DIR OWNER/NAME  deliver the webhooks of what was pushed (the repositories' hooks call it)

Flags:
`

const examples = `
Examples:
  # a public repository with a webhook to a server on port 9001
  githubsim --dir /tmp/sim --listen 127.0.0.1:4000 --repo octo/hello \
    --hook octo/hello=http://octo:password@127.0.0.1:9001/1/deploy
  git push /tmp/sim/octo/hello.git main

  # a private one, and a token that may read it and set statuses
  githubsim --dir /tmp/sim --private octo/secret --user octo:some-token:repo

Standard output has the addresses, one to a line: "api URL", "archive HOST:PORT", "repository OWNER/NAME FOLDER".
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the program and returns its exit code: 1 for a failure, 2 for invalid
// flags.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var err error
	if len(args) > 0 && args[0] == "pushed" {
		err = pushed(ctx, args[1:], stdout, stderr)
	} else {
		err = serve(ctx, args, stdout, stderr)
	}
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if _, usage := errors.AsType[usageError](err); usage {
		_, _ = fmt.Fprintf(stderr, "githubsim: %v (see githubsim --help)\n", err)
		return 2
	}
	_, _ = fmt.Fprintf(stderr, "githubsim: %v\n", err)
	return 1
}

// usageError is a mistake in the command line.
type usageError struct{ error }

// parse reads flags and writes help to stdout.
func parse(flags *flag.FlagSet, args []string, stdout io.Writer) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = io.WriteString(stdout, usage)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		_, _ = io.WriteString(stdout, examples)
		return err
	}
	if err != nil {
		return usageError{err}
	}
	return nil
}
