package cluster_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes"
	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes/image"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/runner/runnertest"
)

// toolsImage pushes a base image with the programs that shell commands of apps use.
// They need no library that node does not.
func toolsImage(t *testing.T) (reference string) {
	t.Helper()
	reference = shared.Registry + "/tools:20"
	files := map[string]string{"/bin/cat": "/bin/cat", "/bin/rm": "/bin/rm", "/bin/sleep": "/bin/sleep"}
	if err := shared.Push(t.Context(), reference, v1.Config{}, shared.Base, files); err != nil {
		t.Fatal(err)
	}
	return reference
}

// siteProgram builds the program that serves static sites.
func siteProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "site")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./testdata/site") //nolint:gosec // a path of the test's own
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

var spaces atomic.Int64 //nolint:gochecknoglobals // counts

// options returns the settings of a runner whose apps are in a namespace. Only what
// hangs reaches their limits.
func options(t *testing.T, space, base string) kubernetes.Options {
	t.Helper()
	return kubernetes.Options{
		Dir: t.TempDir(), Kubeconfig: account(t, space), Namespace: space,
		Image:   image.Options{Registry: shared.Registry + "/" + space, Base: base},
		PreStop: time.Second, Memory: 256 << 20,
		ReadyTimeout: patience, StartTimeout: patience, DrainTimeout: patience,
	}
}

// start starts a runner until the test ends.
func start(t *testing.T, o kubernetes.Options) *kubernetes.Runner {
	t.Helper()
	r, err := kubernetes.New(o)
	if err == nil {
		err = r.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := r.Halt(ctx, "me", "app"); err != nil && core.CodeOf(err) != core.CodePlatformBusy {
			t.Error(err)
		}
		if err := r.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

// clock is what a runner may take for the time.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// hurry has the time pass many times faster until the returned function is called.
func (c *clock) hurry() (end func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticks := time.NewTicker(50 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
				c.ahead.Add(int64(10 * time.Second))
			case <-done:
				return
			}
		}
	})
	return func() { close(done); running.Wait() }
}

// version returns a version of the app me/app, whose code is js.
func version(t *testing.T, snapshot, js string) runner.Version {
	t.Helper()
	dir := filepath.Join(t.TempDir(), snapshot)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "server.js"), []byte(js), 0o600); err != nil {
		t.Fatal(err)
	}
	return runner.Version{
		User: "me", App: "app", Snapshot: snapshot, Subdomain: "app", Root: dir, Dir: dir, Node: "/usr/local/bin/node", NodeVersion: "20.0.0", Start: "server.js", Drones: 1,
	}
}

// namespace creates a namespace, in which pods must be restricted.
func namespace(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("apps-%d", spaces.Add(1))
	kubectl(t, fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata:
  name: %s
  labels: {pod-security.kubernetes.io/enforce: restricted}
`, name), "apply", "-f", "-")
	t.Cleanup(func() {
		if _, err := shared.Kubectl(context.Background(), "", "delete", "namespace", name, "--wait=false"); err != nil { //nolint:usetesting // the test's context has ended
			t.Error(err)
		}
	})
	return name
}

// volumes creates volumes that several pods can mount.
func volumes(t *testing.T, class string, n int) {
	t.Helper()
	var all strings.Builder
	for i := range n {
		dir := filepath.Join(t.TempDir(), "volume")
		if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // the next line
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // for the user of the pods
			t.Fatal(err)
		}
		fmt.Fprintf(&all, `
apiVersion: v1
kind: PersistentVolume
metadata: {name: %s-%d}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteMany]
  storageClassName: %s
  hostPath: {path: %s}
---`, class, i, class, dir)
	}
	kubectl(t, all.String(), "apply", "-f", "-")
}

// account returns the kubeconfig of a service account that may do in a namespace what
// the runner needs, and nothing else.
func account(t *testing.T, namespace string) (kubeconfig string) {
	t.Helper()
	role, err := os.ReadFile("../../deployer/platform/kubernetes/role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, string(role), "-n", namespace, "apply", "-f", "-")
	kubectl(t, "", "-n", namespace, "create", "serviceaccount", "platform")
	kubectl(t, "", "-n", namespace, "create", "rolebinding", "platform", "--role=webhooks", "--serviceaccount="+namespace+":platform")
	token := kubectl(t, "", "-n", namespace, "create", "token", "platform", "--duration=1h")
	admin, err := os.ReadFile(shared.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	text := regexp.MustCompile(`token: [^}]*`).ReplaceAllLiteralString(string(admin), "token: "+token)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

func TestConformance(t *testing.T) {
	t.Parallel()
	base, site := toolsImage(t), siteProgram(t)
	runnertest.Test(t, runnertest.Harness{
		New: func(t *testing.T, crashed func(runner.Crash)) runner.Runner {
			t.Helper()
			space := namespace(t)
			volumes(t, space, 2)
			o := options(t, space, base)
			o.StorageClass, o.Site, o.Crashed = space, []string{site}, crashed
			return start(t, o)
		},
		Version: version,
	})
}
