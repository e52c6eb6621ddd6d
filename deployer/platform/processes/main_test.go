package processes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// serveVariable makes the test program a server that runs the version in it,
// until it is killed.
const serveVariable = "PROCESSES_TEST_SERVE"

// keeperCommand makes the test program a keeper.
const keeperCommand = "keeper"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == keeperCommand {
		os.Exit(processes.Keep(context.Background()))
	}
	if text := os.Getenv(serveVariable); text != "" {
		if err := serve(context.Background(), text); err != nil {
			_, _ = fmt.Fprintln(os.Stdout, err)
		}
		os.Exit(1)
	}
	os.Exit(leftovers.Run(m))
}

// command is the input of the server.
type command struct {
	Dir     string
	Keeper  []string
	Version runner.Version
}

func serve(ctx context.Context, text string) error {
	var o command
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	s := processes.New(processes.Options{Dir: o.Dir, Keeper: o.Keeper})
	if err := s.Start(ctx); err != nil {
		return err
	}
	c, err := s.Launch(ctx, o.Version)
	if err != nil {
		return err
	}
	c.Commit(0)
	target, _ := s.Pick(o.Version.User, o.Version.App, "")
	_, _ = fmt.Fprintln(os.Stdout, target.Addr)
	select {}
}
