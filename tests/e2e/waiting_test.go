package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/client"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// The request of a delivery waits for the outcome as long as the client prefers, or
// else as the operator configured. The deployment goes on either way.
func TestWaitForTheOutcome(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--wait", "50ms")...)
	repo := h.repository("waits")
	for preference, applied := range map[string]string{
		"":                      "",
		"wait=1":                "wait=1",
		"respond-async":         "respond-async",
		"respond-async, wait=1": "respond-async, wait=1",
		"handling=lenient":      "",
	} {
		commit := repo.commit("waits "+preference, map[string]string{"package.json": packageJSON("waits"), "index.js": node(preference)})
		_, release := h.Hold(sim.Matching("GET", "/contents/package.json"))
		got := s.send(repo.delivery(t, commit, "", map[string]string{"Prefer": preference}))
		change := got.change(t, 202, "pending")
		if got.header.Get("Preference-Applied") != applied {
			t.Errorf("%q: got Preference-Applied %q, want %q", preference, got.header.Get("Preference-Applied"), applied)
		}
		id, _ := change["id"].(string)
		if location := got.header.Get("Location"); location == "" || location != id {
			t.Errorf("%q: got Location %q, want %q", preference, location, id)
		}
		release()
		s.outcome(id, "ok")
		if app := s.app("waits.localhost"); app.body != preference {
			t.Errorf("%q: the app answers %d %s", preference, app.status, app.body)
		}
	}
	// An outcome that comes within the time: this one needs no build.
	gone := strings.Repeat("d", 40)
	got := s.send(repo.delivery(t, gone, "", map[string]string{"Prefer": "wait=60"}))
	if got.failure(t, 502, "deploy:github:no_pkg_json"); got.header.Get("Preference-Applied") != "wait=60" {
		t.Errorf("got Preference-Applied %q", got.header.Get("Preference-Applied"))
	}
}

// A wait that GitHub asks for does not count as a failed attempt.
func TestGitHubRateLimit(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--wait", "0s", "--retry-delays", "10ms")...)
	repo := h.repository("limited")
	asked := func(change client.Change) bool {
		return change.Status == core.StatusPending && strings.HasPrefix(change.Reason, "Asked to wait")
	}
	deliver := func(commit string) string {
		t.Helper()
		id, _ := s.send(repo.delivery(t, commit, "", nil)).change(t, 202, "pending")["id"].(string)
		return id
	}
	// More of them than there are tries.
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("limited"), "index.js": node("first")})
	h.Fail(sim.Matching("GET", "/contents/package.json"), 2, http.StatusTooManyRequests, http.Header{"Retry-After": {"1"}})
	h.Fail(sim.Matching("GET", "/tarball/"), 1, http.StatusForbidden, http.Header{"Retry-After": {"1"}})
	id := deliver(commit)
	s.was(id, "a pause", asked)
	doc := s.entry(s.outcome(id, "ok"))
	if doc["attempts"] != float64(4) || doc["failures"] != float64(0) {
		t.Errorf("got %v attempts and %v failures", doc["attempts"], doc["failures"])
	}
	retried := 0
	steps, _ := doc["steps"].([]any)
	for _, step := range steps {
		if step, _ := step.(map[string]any); step["state"] == "retry" {
			retried++
		}
	}
	if retried != 3 {
		t.Errorf("%d of the steps say that they were tried again: %v", retried, steps)
	}

	// The hourly limit: until its end there is nothing to do.
	commit = repo.commit("second", map[string]string{"index.js": node("second")})
	h.RateLimit("", 0)
	id = deliver(commit)
	s.was(id, "a pause", asked)
	if doc := s.entry(map[string]any{"id": id}); doc["failures"] != float64(0) {
		t.Errorf("got %v failures", doc["failures"])
	}
	if app := s.app("limited.localhost"); app.body != "first" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
}

// A server that stops answers the requests that wait, and another one resumes its
// deployments.
func TestStoppedDuringADeployment(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--shutdown-timeout", "100ms")...)
	repo := h.repository("stopped")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("stopped"), "index.js": node("after all")})
	arrived, release := h.Hold(sim.Matching("GET", "/contents/package.json"))
	answers := make(chan answer, 1)
	go func() {
		defer close(answers)
		answers <- s.send(repo.delivery(t, commit, "one", nil))
	}()
	<-arrived
	s.stop()
	release()
	pending := (<-answers).change(t, 202, "pending")
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.start()
	id, _ := pending["id"].(string)
	doc := s.entry(s.outcome(id, "ok"))
	if doc["lost"] != float64(0) {
		t.Errorf("it counts as lost: %v", doc["lost"])
	}
	if app := s.app("stopped.localhost"); app.body != "after all" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
}
