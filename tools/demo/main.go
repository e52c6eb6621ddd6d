// Command demo shows webhooks at work on one machine: the server as a process
// of its own, a stand-in for GitHub over real git repositories, two pushes, a
// report of Travis CI, and in the end two apps that answer. It is started by
// tools/demo.sh.
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

const usage = `Usage: demo --program PATH [--once]

Starts the webhooks program on temporary data and a stand-in for GitHub, pushes
to two repositories, and shows the changes as they come. Needs git, Node.js, npm
and the npm registry.

  --program PATH  the webhooks program
  --once          end by itself, with exit code 0 only if everything worked

Examples:
  go build -o webhooks ./tools/webhooks && go run ./tools/demo --program ./webhooks
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes a command line and returns the exit code: 1 if the demo failed,
// 2 if the command line is wrong.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := options{out: stdout}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.program, "program", "", "")
	flags.BoolVar(&o.once, "once", false, "")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = io.WriteString(stdout, usage)
		return 0
	}
	if err == nil && (o.program == "" || flags.NArg() > 0) {
		err = errors.New("want --program PATH and no arguments")
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "demo: %v; see demo --help\n", err)
		return 2
	}
	if err := demonstrate(ctx, o); err != nil {
		_, _ = fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	return 0
}
