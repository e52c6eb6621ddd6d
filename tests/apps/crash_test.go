package apps

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// After a platform was killed, the next one takes over the drones that it left, and
// nothing else: no build, and no drone of an app that was stopped.
func TestKilledPlatform(t *testing.T) {
	t.Parallel()
	s := ownPlatform(t)
	a, stopped, building := create(t, s, "one"), create(t, s, "stopped"), create(t, s, "building")
	text := steady + "\nrequire('child_process').spawn('sleep', ['1001'], { detached: true })"
	a.deploy(script(text))
	a.ok(a.call(t.Context(), http.MethodPost, "cloud", strings.NewReader(`[{"provider":"webhooks","datacenter":"local","drones":2}]`)))
	a.ok(a.call(t.Context(), http.MethodPost, "restart", nil))
	stopped.deploy(script(steady))
	stopped.stop()
	endless := script(steady)
	endless["package.json"] = `{"name":"app","version":"1.0.0","scripts":{"start":"server.js","postinstall":"echo begun; setsid sleep 1002"}}`

	for range 2 {
		all := func() []process {
			var found []process
			until(t, "two drones with a child each", func() bool {
				found = a.processes("")
				return len(found) >= 4 && a.get("/").status == http.StatusOK
			})
			return found
		}
		lives, were := a.lives(2), all()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.api+"/apps/"+user+"/building/snapshots/1.0.0", bytes.NewReader(endless.tgz(t)))
			if err == nil {
				req.SetBasicAuth(user, s.token)
				_, err = read(http.DefaultClient.Do(req)) //nolint:bodyclose // read closes it
			}
			ended <- err
		}()
		until(t, "the build's processes", func() bool { return len(missing(building.processes(""), []string{"sleep 1002"})) == 0 })
		builds := building.processes("")

		s.kill()
		if err := <-ended; err == nil {
			t.Error("an upload succeeded although its platform was killed")
		}
		cancel()
		if err := s.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Zombies do not count: the process that started the tests is their parent.
		if found := slices.DeleteFunc(left(builds), func(p process) bool { return p.zombie }); len(found) > 0 {
			t.Errorf("processes of a build are left: %v", found)
		}
		found, now := all(), a.lives(2)
		if len(found) != 4 || len(left(were)) != 4 || slices.ContainsFunc(now, func(life string) bool { return !slices.Contains(lives, life) }) {
			t.Errorf("the app runs as %v in lives %q, before as %v in %q", found, now, were, lives)
		}
		if running := a.running(); !strings.HasPrefix(running, "started ") {
			t.Errorf("running is %q", running)
		}
		if got := stopped.get("/"); got.status != http.StatusServiceUnavailable || len(stopped.processes("")) > 0 {
			t.Errorf("a stopped app answers %d %s, with %v", got.status, got.body, stopped.processes(""))
		}
		if found := building.processes(""); len(found) > 0 {
			t.Errorf("an abandoned build still runs: %v", found)
		}
	}
	if id := building.deploy(script(steady)); building.running() != "started "+id {
		t.Errorf("running is %q", building.running())
	}
}

// lives returns the answers of n drones of the app.
func (a *app) lives(n int) []string {
	a.t.Helper()
	var found []string
	until(a.t, "an answer of each drone", func() bool {
		if got := a.get("/"); got.status == http.StatusOK && !slices.Contains(found, got.body) {
			found = append(found, got.body)
		}
		return len(found) >= n
	})
	return found
}
