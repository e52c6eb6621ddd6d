package drones_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/deployer/platform/drones"
)

// serveVariable makes the test program a server that runs the spec in it,
// until it is killed.
const serveVariable = "DRONES_TEST_SERVE"

func TestMain(m *testing.M) {
	if text := os.Getenv(serveVariable); text != "" {
		if err := serve(context.Background(), text); err != nil {
			_, _ = fmt.Fprintln(os.Stdout, err)
		}
		os.Exit(1)
	}
	os.Exit(leftovers.Run(m))
}

// order is what the server shall do.
type order struct {
	Dir  string
	Spec drones.Spec
}

func serve(ctx context.Context, text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	s := drones.New(drones.Options{Dir: o.Dir})
	if err := s.Start(ctx); err != nil {
		return err
	}
	if err := s.Switch(ctx, o.Spec); err != nil {
		return err
	}
	addr, _, _ := s.Pick(o.Spec.User, o.Spec.App)
	_, _ = fmt.Fprintln(os.Stdout, addr)
	select {}
}
