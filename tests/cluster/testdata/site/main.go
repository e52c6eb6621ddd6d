// Command site serves a static site, as the program does in an image.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/site"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	if err := site.Serve(ctx, os.Args[1], os.Args[2], os.Args[3], 5*time.Second); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // nothing is left to be canceled
	}
}
