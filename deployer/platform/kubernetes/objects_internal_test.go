package kubernetes

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

var update = flag.Bool("update", false, "write the files of testdata") //nolint:gochecknoglobals // a flag

// The objects of an app with everything that changes them.
func TestObjects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "server.js"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := runner.Version{
		User: "me", App: "app", Snapshot: "1.0.0", Subdomain: "app", Domains: []string{"example.org"}, Root: dir, Dir: dir, Start: "server.js", Health: "/healthz",
		Processes: map[string]string{"worker": "node worker.js $QUEUE"}, Env: map[string]string{"PORT": "1", "PATH": "/bin", "API_KEY": "secret", "INIT_CWD": dir, "npm_package_json": filepath.Join(dir, "package.json"), "FILE": "server.js"},
		Limits: runner.Limits{Memory: 512 << 20, CPUs: 0.5}, Drones: 2,
	}
	at := place{namespace: "webhooks-me", prefix: "app", user: "me", app: "app", platform: "p1"}
	o := Options{StorageClass: "nfs", PullSecret: "registry", Domain: "apps.example.com", Gateway: "gateways/public", IngressClass: "nginx", ReadyTimeout: time.Minute}.withDefaults()
	l := launched{place: at, o: o, v: v, launch: "l1", image: "registry.example.com/me/app@sha256:00", identity: "id"}
	claim, err := at.claim(o)
	if err != nil {
		t.Fatal(err)
	}
	for name, object := range map[string]any{
		"namespace": userNamespace("webhooks-me", "me"), "secret": l.environment(), "web": l.deployment("", 2), "worker": l.deployment("worker", 1),
		"command": l.command(runner.Command{Name: "release", Shell: "echo $HOME"}), "service": at.service("l1"), "budget": at.budget(), "claim": claim,
		"httproute": at.httpRoute(o, v), "ingress": at.ingress(o, v), "policy": at.policy([]string{"gateways"}),
	} {
		text, err := json.MarshalIndent(object, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file) //nolint:gosec // a file of the test's own
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(text)+"\n" {
			t.Errorf("%s is\n%s\nwant\n%s\nIf it is right, run the test with -update", name, text, want)
		}
	}
}
