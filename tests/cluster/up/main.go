// Command up runs a cluster to try things on. Run it in tests/cluster, as root: it
// prints what a shell needs, and removes the cluster when it is interrupted.
//
//	cd tests/cluster && go run ./up
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/nodejitsu/webhooks/tests/cluster"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "up:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := cluster.Start(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "export KUBECONFIG=%s\nexport REGISTRY=%s\nexport BASE_IMAGE=%s\n", c.Kubeconfig, c.Registry, c.Base)
	if err == nil {
		<-ctx.Done()
	}
	return errors.Join(err, c.Stop(ctx))
}
