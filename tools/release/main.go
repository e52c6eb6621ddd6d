// Command release keeps the seven modules of this workspace at one version and
// tags their releases.
//
// Every go.mod requires its siblings at the next version, one number for all,
// and has no replace line, so that what is tagged can be imported and installed
// by anyone. Until the tags exist, go.work replaces that version with the
// folders, for the workspace alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const usage = `Usage: go run ./tools/release [-C FOLDER] COMMAND

Keeps the modules of this workspace at one version and tags their releases.

Commands:
  check         report everything that keeps the tree from being released, such as an
                exported name of core or providers that vanished or changed since the
                version began and is not in the changelog
  set VERSION   begin the next version: write it into every go.mod and go.work, and
                list the API of core and providers in their api.txt
  tag           check the tree, then tag HEAD as core/VERSION, providers/VERSION, …;
                nothing is pushed, and the module tests is never tagged

Examples:
  go run ./tools/release check
  go run ./tools/release tag
  go run ./tools/release set v0.2.0
`

// errUsage is a command line that is not understood.
var errUsage = errors.New("see release --help") //nolint:gochecknoglobals // a constant

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run executes a command line and returns the exit code: 0, 1 if the command
// failed, 2 if the command line is wrong.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	root := flags.String("C", ".", "root of the workspace")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) || err == nil && flags.NArg() == 0 {
		_, _ = io.WriteString(stdout, usage)
		return 0
	}
	if err == nil {
		err = command(ctx, *root, flags.Args(), stdout)
	} else {
		err = fmt.Errorf("%w: %w", err, errUsage)
	}
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(stderr, "release:", err)
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

func command(ctx context.Context, root string, args []string, out io.Writer) error {
	w, err := open(root)
	if err != nil {
		return err
	}
	switch {
	case args[0] == "check" && len(args) == 1:
		if err = w.check(); err == nil {
			_, err = fmt.Fprintf(out, "%s can be released: %d modules checked\n", w.version(), len(w.modules))
		}
		return err
	case args[0] == "set" && len(args) == 2:
		return w.set(args[1], out)
	case args[0] == "tag" && len(args) == 1:
		return w.tag(ctx, out)
	}
	return fmt.Errorf("unknown command or wrong number of arguments: %v: %w", args, errUsage)
}
