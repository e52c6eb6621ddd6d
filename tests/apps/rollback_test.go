package apps

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A rollback is a switch to the folder that was built before, without a build.
func TestRollback(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "rollback")
	version := func(text string) files {
		f := script(`
			const built = require('fs').readFileSync(__dirname + '/built.txt', 'utf8')
			const merge = require('lodash.merge')
			require('http').createServer((req, res) => res.end(merge({}, { text: '` + text + ` ' + built }).text)).listen(process.env.PORT)`)
		f["package.json"] = `{
			"name": "app", "version": "1.0.0", "dependencies": {"lodash.merge": "4.6.2"},
			"scripts": {"start": "server.js", "postinstall": "node -e \"fs.writeFileSync('built.txt', String(Math.random()))\""}
		}`
		return f
	}
	old := a.deploy(version("good"))
	good := a.get("/").body
	folder := filepath.Join(a.s.data, "platform", "builds", user, a.name, old)
	before, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	a.deploy(version("worse"))
	if got := a.get("/").body; !strings.HasPrefix(got, "worse 0.") || !strings.HasPrefix(good, "good 0.") {
		t.Fatalf("the versions answer %q and %q", good, got)
	}

	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		again := time.NewTicker(5 * time.Millisecond)
		defer again.Stop()
		for looks := 0; ; looks++ {
			select {
			case <-again.C:
			case <-done:
				if looks == 0 {
					t.Error("the processes were not watched")
				}
				return
			}
			for _, p := range a.processes("") {
				// A process that the server is about to start has the arguments of the server.
				if strings.Contains(p.args, "npm") && !strings.HasPrefix(p.args, program) {
					t.Errorf("npm runs: %v", p)
				}
			}
		}
	})
	begun := time.Now()
	got := a.start(old)
	took := time.Since(begun)
	close(done)
	watch.Wait()
	if got.status != http.StatusOK {
		t.Fatalf("the start: %d %s", got.status, got.body)
	}
	t.Logf("a rollback took %v", took.Round(time.Millisecond))
	a.answers(good)
	if running := a.running(); running != "started "+old {
		t.Errorf("running is %q", running)
	}
	if after, err := os.Stat(folder); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the folder was built again: %v", err)
	}
}

// dies is an app that crashes some time after its first request, and from then on
// some time after each start.
const dies = `
	const fs = require('fs')
	const mark = process.env.HOME + '/dies'
	const die = () => setTimeout(() => { throw new Error('lost the database') }, 500)
	require('http').createServer((req, res) => { res.end(); fs.writeFileSync(mark, ''); die() })
		.listen(process.env.PORT, () => { if (fs.existsSync(mark)) die() })`

// A version that starts and then keeps crashing is rolled back to the one before.
// The user and the operator are informed.
func TestCrashLoopIsRolledBack(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "dies")
	good := a.deploy(script(steady + `; console.log('good')`))
	bad := a.deploy(script(dies))
	a.get("/")
	until(t, "the version before to answer", func() bool { return a.running() == "started "+good && a.get("/").status == http.StatusOK })

	var answer struct {
		App struct {
			Reason  string
			Active  struct{ ID string }
			Crashed struct{ Snapshot, Reason string }
		}
	}
	got := a.call(t.Context(), http.MethodGet, "", nil)
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil {
		t.Fatalf("%v in %s", err, got.body)
	}
	if app := answer.App; app.Active.ID != good || app.Crashed.Snapshot != bad || !strings.Contains(app.Crashed.Reason, "exited with code 1") {
		t.Errorf("the app is described as %s", got.body)
	}
	if want := "snapshot " + bad + " crashed, and " + good + ", which ran before, runs again"; !strings.Contains(answer.App.Reason, want) {
		t.Errorf("the reason is %q, want %q", answer.App.Reason, want)
	}
	view := exec.CommandContext(t.Context(), program, "apps", "view", a.name, "--to", a.s.api, "--user", user) //nolint:gosec // our own program
	view.Env = append(os.Environ(), "WEBHOOKS_PASSWORD="+a.s.token)
	if out, err := view.CombinedOutput(); err != nil || !strings.Contains(string(out), answer.App.Reason) {
		t.Errorf("apps view says %s (%v)", out, err)
	}
	for _, text := range []string{"lost the database", "which ran before, runs again"} {
		until(t, text+" in the log", func() bool { return strings.Contains(a.call(t.Context(), http.MethodGet, "logs", nil).body, text) })
	}
	if !strings.Contains(a.s.stderr(), "rolled back") {
		t.Errorf("the server's log does not contain %q", "rolled back")
	}
	if left := a.processes(bad); len(left) > 0 {
		t.Errorf("the bad version has processes: %v", left)
	}
	// The next start is that of the active snapshot.
	a.ok(a.call(t.Context(), http.MethodPost, "restart", nil))
	if running := a.running(); running != "started "+good {
		t.Errorf("running is %q", running)
	}
}
