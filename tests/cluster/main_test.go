package cluster_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/tests/cluster"
)

// shared is the cluster of all tests, made once by TestMain.
var shared *cluster.Cluster

func TestMain(m *testing.M) { os.Exit(leftovers.Run(tests{m})) }

// tests are the tests of this package with what goes before and after all of
// them.
type tests struct{ *testing.M }

func (ts tests) Run() (code int) {
	if os.Getenv("WEBHOOKS_TEST_SKIP") == "cluster" {
		fmt.Fprintln(os.Stderr, "NOT TESTED: the cluster is left out by WEBHOOKS_TEST_SKIP")
		return 0
	}
	var err error
	if shared, err = cluster.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "starting a cluster:", err)
		return 1
	}
	code = ts.M.Run()
	if code != 0 {
		fmt.Fprintln(os.Stderr, shared.Log())
	}
	if err := shared.Stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the cluster:", err)
		code = 1
	}
	return code
}
