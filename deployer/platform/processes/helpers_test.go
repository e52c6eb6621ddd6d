package processes_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// patience is the time limit for events that must happen. Only a hang reaches it,
// however busy the machine is.
const patience = 10 * time.Minute

// impatience is the ready timeout in tests that wait for it to expire. What they wait
// for otherwise must happen within it.
const impatience = 30 * time.Second

// fixture is a Runner under test with the states that it reported.
type fixture struct {
	*processes.Runner
	t    *testing.T
	dir  string
	node string

	mu      sync.Mutex
	changed chan struct{} // closed and replaced with each change
	states  []runner.State
}

// openDir returns a temporary folder that the apps' users can access.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // apps need to search it
		t.Fatal(err)
	}
	return dir
}

// prepare returns a fixture whose Runner is not started.
func prepare(t *testing.T, o processes.Options) *fixture {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	if o.Keeper == nil {
		o.Keeper = keepers()
	}
	o.ReadyTimeout = cmp.Or(o.ReadyTimeout, patience)
	b := &fixture{t: t, dir: o.Dir, node: node, changed: make(chan struct{})}
	if o.Dir == "" {
		b.dir = openDir(t)
		o.Dir = filepath.Join(b.dir, "drones")
	}
	o.Notify = func(s runner.State) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.states = append(b.states, s)
		close(b.changed)
		b.changed = make(chan struct{})
	}
	b.Runner = processes.New(o)
	return b
}

// setup returns a fixture whose Runner is started, and stopped at the end.
func setup(t *testing.T, o processes.Options) *fixture {
	t.Helper()
	b := prepare(t, o)
	b.start()
	return b
}

func (b *fixture) start() {
	b.t.Helper()
	if err := b.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := b.Stop(context.Background()); err != nil { //nolint:usetesting // the test's context has ended
			b.t.Error(err)
		}
	})
}

// nodeVersion returns the version of the tests' Node.js.
var nodeVersion = sync.OnceValue(func() string {
	out, _ := exec.Command("node", "--version").Output() //nolint:noctx // it ends at once; a failure is one of every test
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
})

// app returns the spec of an app that runs one of testdata.
func (b *fixture) app(name, file string) runner.Version {
	b.t.Helper()
	dir := filepath.Join(b.dir, "apps", name)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // apps must read it
		b.t.Fatal(err)
	}
	code, err := os.ReadFile(filepath.Join("testdata", file)) //nolint:gosec // the test's own
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, file), code, 0o644); err != nil { //nolint:gosec // apps must read it
		b.t.Fatal(err)
	}
	return runner.Version{User: "me", App: name, Snapshot: "1", Subdomain: name + "-sub", Dir: dir, Node: b.node, NodeVersion: nodeVersion(), Path: []string{filepath.Join(dir, "node_modules", ".bin")}, Start: "node " + file}
}

// Switch replaces the current version by v.
func (b *fixture) Switch(ctx context.Context, v runner.Version) error {
	c, err := b.Launch(ctx, v)
	if err == nil {
		c.Commit(0)
	}
	return err
}

func (b *fixture) mustSwitch(v runner.Version) {
	b.t.Helper()
	if err := b.Switch(b.t.Context(), v); err != nil {
		b.t.Fatal(err)
	}
}

// await waits until want returns true for the app's state.
func (b *fixture) await(app string, want func(runner.State) bool) runner.State {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	for {
		b.mu.Lock()
		changed := b.changed
		b.mu.Unlock()
		if s := b.State("me", app); want(s) {
			return s
		}
		select {
		case <-changed:
		case <-ctx.Done():
			b.t.Fatalf("state of %s stays %+v; log: %v", app, b.State("me", app), b.text(app))
		}
	}
}

// pick returns the address for the next request to an app.
func (b *fixture) pick(app string) (addr string, done func(), ok bool) {
	b.t.Helper()
	t, ok := b.Pick("me", app, "")
	return t.Addr, t.Done, ok
}

// get requests path from one of the app's drones.
func (b *fixture) get(app, path string) string {
	b.t.Helper()
	resp, done := b.open(app, path)
	defer done()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// open requests path and returns the response with its body unread.
func (b *fixture) open(app, path string) (*http.Response, func()) {
	b.t.Helper()
	addr, done, ok := b.pick(app)
	if !ok {
		b.t.Fatalf("no drone of %s is ready: %+v; log: %v", app, b.State("me", app), b.text(app))
	}
	return b.openAt(addr, path, done)
}

func (b *fixture) openAt(addr, path string, done func()) (*http.Response, func()) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, func() {
		_ = resp.Body.Close()
		done()
	}
}

// ask requests path and returns an error unless it gets a complete response.
func ask(ctx context.Context, addr, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, err = io.ReadAll(resp.Body)
	return errors.Join(err, resp.Body.Close())
}

// text returns the app's log.
func (b *fixture) text(app string) string {
	b.t.Helper()
	lines, err := b.Logs("me", app, time.Time{}, time.Time{}, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	return join(lines)
}

// pid waits until the app has logged n lines "pid NUMBER", and returns the number of the
// last one. A keeper writes the log by itself.
func (b *fixture) pid(n int) int {
	b.t.Helper()
	for {
		var found []string
		for line := range strings.Lines(b.text("app")) {
			if pid, ok := strings.CutPrefix(line, "stdout: pid "); ok {
				found = append(found, pid)
			}
		}
		if len(found) == n {
			return atoi(b.t, found[n-1])
		}
		<-time.After(5 * time.Millisecond)
	}
}

func join(lines []runner.Line) string {
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(string(line.Stream) + ": " + line.Text + "\n")
	}
	return text.String()
}

// report is the response of /env of serve.js.
type report struct {
	Env    map[string]string `json:"env"`
	UID    int               `json:"uid"`
	Groups []int             `json:"groups"`
	Cwd    string            `json:"cwd"`
	Pid    int               `json:"pid"`
}

func (b *fixture) report(app string) report {
	b.t.Helper()
	var r report
	decode(b.t, b.get(app, "/env"), &r)
	return r
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}

// alive reports whether pid is a process that has not ended, zombies included:
// a zombie of ours is a leak as well.
func alive(pid int) bool {
	return syscall.Kill(pid, 0) == nil
}

func mention(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
