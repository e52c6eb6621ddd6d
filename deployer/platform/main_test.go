package platform_test

import (
	"context"
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
	os.Exit(leftovers.Run(m))
}
