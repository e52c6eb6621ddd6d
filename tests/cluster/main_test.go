package cluster_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
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
	err := manyAtOnce()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
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

// manyAtOnce lets more tests run at a time than there are processors, unless
// the command line sets the number: tests wait far more than they work.
func manyAtOnce() error {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if chosen {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0)))
}
