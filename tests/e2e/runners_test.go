package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	kube "github.com/nodejitsu/webhooks/tests/cluster"
)

// nodes is the cluster of the tests that run on one, started by the first of them.
var nodes struct {
	sync.Mutex
	*kube.Cluster
	failed     error
	namespaces atomic.Int64
}

// eachRunner runs a test with each of what can run the apps; flags are those that
// choose it.
func eachRunner(t *testing.T, test func(t *testing.T, flags ...string)) {
	t.Helper()
	t.Run("processes", func(t *testing.T) {
		t.Parallel()
		test(t)
	})
	if os.Getenv("WEBHOOKS_TEST_SKIP") == "cluster" {
		return
	}
	t.Run("kubernetes", func(t *testing.T) {
		t.Parallel()
		test(t, inCluster(t)...)
	})
}

// inCluster returns the flags of a server whose apps are in a namespace of the cluster.
func inCluster(t *testing.T) []string {
	t.Helper()
	nodes.Lock()
	defer nodes.Unlock()
	if nodes.Cluster == nil && nodes.failed == nil {
		nodes.Cluster, nodes.failed = kube.Start(t.Context())
	}
	if nodes.failed != nil {
		t.Fatal("starting a cluster:", nodes.failed)
	}
	namespace := fmt.Sprintf("apps-%d", nodes.namespaces.Add(1))
	kubectl := func(args ...string) string {
		out, err := nodes.Kubectl(context.WithoutCancel(t.Context()), "", append([]string{"-n", namespace}, args...)...)
		if err != nil {
			t.Error(err)
		}
		return strings.TrimSpace(out)
	}
	kubectl("create", "namespace", namespace)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the pods and events of the test:\n%s\n%s", kubectl("get", "pods", "-o", "wide"), kubectl("get", "events"))
		}
	})
	return []string{
		"--runner", "kubernetes", "--kubeconfig", nodes.Kubeconfig, "--kubernetes-namespace", namespace,
		"--registry", nodes.Registry + "/" + namespace, "--base-image", nodes.Base,
	}
}

// endCluster ends the cluster if there is one.
func endCluster(failed bool) error {
	nodes.Lock()
	defer nodes.Unlock()
	if nodes.Cluster == nil {
		return nil
	}
	if failed {
		fmt.Fprintln(os.Stderr, nodes.Log())
	}
	return nodes.Stop(context.Background())
}
