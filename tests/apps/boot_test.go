package apps

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// steady is an app that answers with a text that is new in each process.
const steady = `
	const life = String(Math.random())
	require('http').createServer((req, res) => res.end(life)).listen(process.env.PORT)`

// impatience is the limit for an app to start, in tests that wait for it.
const impatience = time.Minute

// impatient returns a platform with this limit.
func impatient(t *testing.T) *server {
	t.Helper()
	return ownPlatform(t, "--ready-timeout", impatience.String())
}

// A version that does not start does not replace the one that runs.
func TestVersionsThatDoNotStart(t *testing.T) {
	t.Parallel()
	s := impatient(t)
	for name, test := range map[string]struct {
		server string
		said   []string
	}{
		"crashes": {
			`console.log('opening the database')
			setTimeout(() => { throw new Error('no database at 10.0.0.1') }, 100)`,
			[]string{"exited with code 1", "opening the database", "Error: no database at 10.0.0.1", "server.js:2"},
		},
		"silent": {
			`console.log('waiting for Godot'); setInterval(() => {}, 1000)`,
			[]string{"did not accept connections on PORT within " + impatience.String(), "waiting for Godot"},
		},
		"elsewhere": {
			// The port is fixed, as on its author's machine.
			`require('http').createServer(() => {}).listen(0, '127.0.0.1', function () { console.log('on port', this.address().port) })`,
			[]string{"listen on process.env.PORT", "on port"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := create(t, s, name)
			good := a.deploy(script(steady))
			life := a.get("/").body
			bad, output, failure := a.upload(script(test.server))
			if failure != "" {
				t.Fatalf("the build failed: %s\n%s", failure, output)
			}
			got := a.start(bad)
			if got.status != http.StatusInternalServerError {
				t.Errorf("the start answers %d %s", got.status, got.body)
			}
			for _, text := range test.said {
				if !strings.Contains(got.body, text) {
					t.Errorf("the answer to the start does not contain %q: %s", text, got.body)
				}
			}
			a.answers(life)
			if running := a.running(); running != "started "+good {
				t.Errorf("running is %q", running)
			}
			if left := a.processes(bad); len(left) > 0 {
				t.Errorf("the bad version has processes: %v", left)
			}
			if fixed := a.deploy(script(steady)); a.running() != "started "+fixed {
				t.Errorf("running is %q", a.running())
			}
		})
	}
}

// withHealth returns an app that answers its health path with these statuses in
// turn, and then always with the last one.
func withHealth(statuses string) files {
	f := script(`
		const statuses = [` + statuses + `]
		const life = String(Math.random())
		require('http').createServer((req, res) => {
			if (req.url !== '/healthz') return res.end(life)
			res.writeHead(statuses.length > 1 ? statuses.shift() : statuses[0]).end()
			console.log('left', statuses)
		}).listen(process.env.PORT)`)
	f["package.json"] = `{"name":"app","version":"1.0.0","health":"/healthz","scripts":{"start":"server.js"}}`
	return f
}

// A version whose health path fails does not replace the one that runs. A version
// that is not healthy at once replaces it when it is.
func TestHealthPath(t *testing.T) {
	t.Parallel()
	a := create(t, impatient(t), "health")
	good := a.deploy(withHealth("503, 503, 200"))
	life := a.get("/").body
	until(t, "the log of its health path", func() bool {
		return strings.Contains(a.call(t.Context(), http.MethodGet, "logs", nil).body, "left [ 200 ]")
	})
	bad, output, failure := a.upload(withHealth("500"))
	if failure != "" {
		t.Fatalf("the build failed: %s\n%s", failure, output)
	}
	got := a.start(bad)
	if want := "GET /healthz, its health path, answered 500"; got.status != http.StatusInternalServerError || !strings.Contains(got.body, want) {
		t.Errorf("the start answers %d %s, want %q", got.status, got.body, want)
	}
	a.answers(life)
	if running := a.running(); running != "started "+good {
		t.Errorf("running is %q", running)
	}
	// A rollback is to a snapshot, with its own health path.
	plain := a.deploy(script(steady))
	if got := a.start(good); got.status != http.StatusOK || a.running() != "started "+good {
		t.Errorf("the start answers %d %s after %s", got.status, got.body, plain)
	}
}
