package platform_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/deployer/platform"
)

// keeperCommand makes the test program a keeper.
const keeperCommand = "keeper"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == keeperCommand {
		os.Exit(platform.Keep(context.Background()))
	}
	if text := os.Getenv(serveVariable); text != "" {
		if err := servePlatform(context.Background(), text); err != nil {
			_, _ = fmt.Fprintln(os.Stdout, err)
		}
		os.Exit(1)
	}
	os.Exit(leftovers.Run(m))
}
