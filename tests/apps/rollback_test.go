package apps

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A rollback is a switch like any other: to the folder that was built then.
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
					t.Error("nobody looked at the processes")
				}
				return
			}
			for _, p := range a.processes("") {
				if strings.Contains(p.args, "npm") {
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
