// Command webhooks is the continuous-deployment server, and the commands for
// operating and using it. See `webhooks --help`.
package main

import (
	"context"
	"os"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/app"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/cli"
)

// version is set by the linker when a release is built: -ldflags "-X main.version=…".
var version string //nolint:gochecknoglobals // the linker can only set a variable

func main() {
	if len(os.Args) > 1 && os.Args[1] == app.KeeperCommand {
		os.Exit(app.Keep(context.Background())) // without what only other commands need
	}
	if len(os.Args) > 1 && os.Args[1] == app.SiteCommand {
		os.Exit(app.Site(context.Background(), os.Args[2:]))
	}
	os.Exit(cli.Run(context.Background(), cli.IO{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}, version))
}
