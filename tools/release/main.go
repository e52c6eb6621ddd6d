package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes: 1 is for a workspace that cannot be released, 2 for a command
// that cannot be understood.
const (
	exitOK = iota
	exitFailed
	exitUsage
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line. What the command found goes to stdout, what
// kept it from doing its work to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := newCommand()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)

	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintln(stderr, "release:", err)
	if _, ok := errors.AsType[*usageError](err); ok {
		_, _ = fmt.Fprintln(stderr, "Run 'release --help' for the commands and their examples.")
		return exitUsage
	}
	return exitFailed
}
