package apps_test

import (
	"os"
	"testing"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
)

func TestMain(m *testing.M) { os.Exit(leftovers.Run(m)) }
