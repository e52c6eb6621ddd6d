package runner_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// A fingerprint never changes, or a new version of the program would replace all apps
// that run. It is the same for all versions whose drones are.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	v := runner.Version{
		User: "me", App: "app", Snapshot: "1.0.0", Subdomain: "app", Domains: []string{"example.org"}, Root: "/data/builds/1", Dir: "/data/builds/1/app",
		Node: "/opt/node/bin/node", NodeVersion: "24.1.0", Path: []string{"/opt/yarn"}, Start: "server.js",
		Processes: map[string]string{"worker": "node worker.js"}, Health: "/healthz", Env: map[string]string{"COLOR": "red", "EMPTY": ""},
		Sticky: true, StopFirst: true, Limits: runner.Limits{Memory: 512 << 20, CPUs: 0.5}, Drones: 2, Order: "5", Snapshots: []string{"1.0.0"},
	}
	want := v.Fingerprint()
	if want != "e3321af879a866d19f48eb5d8f25daff351480bee23041e4df1ce0f52f6319f8" {
		t.Errorf("it is %s", want)
	}
	if got := v.FormerFingerprint(); got != "abeedb56473548a486b8e6b2479f163475b5f2eb9b44103053b89bf1d21be6fd" {
		t.Errorf("that of earlier versions of the program is %s", got)
	}
	for name, change := range map[string]func(*runner.Version){
		"domains":         func(v *runner.Version) { v.Domains = nil },
		"a subdomain":     func(v *runner.Version) { v.Subdomain = "two" },
		"another start":   func(v *runner.Version) { v.Order = "6" },
		"more snapshots":  func(v *runner.Version) { v.Snapshots = append(v.Snapshots, "2.0.0") },
		"sticky":          func(v *runner.Version) { v.Sticky = false },
		"stop first":      func(v *runner.Version) { v.StopFirst = false },
		"no empty fields": func(v *runner.Version) { v.Static = "" },
	} {
		other := v
		if change(&other); other.Fingerprint() != want {
			t.Errorf("%s: it is another one", name)
		}
	}
	for name, change := range map[string]func(*runner.Version){
		"environment":    func(v *runner.Version) { v.Env = map[string]string{"COLOR": "red"} },
		"snapshot":       func(v *runner.Version) { v.Snapshot = "1.0.1" },
		"limits":         func(v *runner.Version) { v.Limits.CPUs = 1 },
		"more processes": func(v *runner.Version) { v.Processes = nil },
	} {
		other := v
		if change(&other); other.Fingerprint() == want {
			t.Errorf("%s: it is the same", name)
		}
	}
}
