// Command webhooks is the continuous-deployment server and everything an
// operator needs around it. See `webhooks --help`.
package main

import (
	"context"
	"os"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/cli"
)

// version is the program's, stamped by the release: -ldflags "-X main.version=…".
var version = "devel" //nolint:gochecknoglobals // the linker can only set a variable

func main() {
	os.Exit(cli.Run(context.Background(), cli.IO{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}, version))
}
