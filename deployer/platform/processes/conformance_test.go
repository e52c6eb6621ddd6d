package processes_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/runner/runnertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	conform(t, nil)
}

// Without keepers, drones are child processes of the server.
func TestConformanceOfChildren(t *testing.T) {
	t.Parallel()
	conform(t, []string{})
}

func conform(t *testing.T, keeper []string) {
	t.Helper()
	runnertest.Test(t, runnertest.Harness{
		New: func(t *testing.T, crashed func(runner.Crash)) runner.Runner {
			t.Helper()
			return setup(t, processes.Options{
				Keeper: keeper, Backoff: time.Millisecond, CheckEvery: 20 * time.Millisecond, Crashed: crashed,
			}).Runner
		},
		Version: func(t *testing.T, snapshot, js string) runner.Version {
			t.Helper()
			node, err := exec.LookPath("node")
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(openDir(t), snapshot)
			if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // apps must read it
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "server.js"), []byte(js), 0o644); err != nil { //nolint:gosec // apps must read it
				t.Fatal(err)
			}
			return runner.Version{User: "me", App: "app", Snapshot: snapshot, Subdomain: "app", Dir: dir, Node: node, Start: "server.js", Drones: 1}
		},
	})
}
