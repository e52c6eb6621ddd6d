package e2e

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// What people do on a platform elsewhere is recorded once: also what they do while no
// server runs, and if the platform does not learn that it was recorded.
func TestEventsOfAPlatformElsewhere(t *testing.T) {
	t.Parallel()
	h := github(t)
	behind := run(t, "platform", 2)
	behind.run(password+"\n", "users", "add", user, "--new-password-file", "-", "--data", behind.data)
	p, flags := flawedPlatform(t, behind)
	s := run(t, "serve", 1, h.flags(flags...)...)
	repo := h.repository("elsewhere")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("elsewhere"), "index.js": node("first")})
	s.send(repo.delivery(t, commit, "a", nil)).change(t, 200, "ok")

	platform := &server{t: t, api: behind.platform}
	do := func(command string) {
		t.Helper()
		if got := platform.send(request{method: "POST", path: "/apps/" + user + "/elsewhere/" + command}); got.status != 200 {
			t.Fatalf("%s: %d %s", command, got.status, got.body)
		}
	}
	p.put(obstacle{"DELETE", "/events/", 3, 503, `{"error":"maintenance"}`})
	do("restart")
	restart := s.awaitEvent("restart")
	if restart.By != user || restart.Status != core.StatusOK || restart.App != "elsewhere" || restart.Commit.ID != commit {
		t.Errorf("got %+v", restart)
	}
	s.stop()
	do("stop")
	do("start")
	s.start()
	s.awaitEvent("deploy")
	do("stop") // what is recorded after all that came before it
	events := func() (found []string) {
		var entries []core.Entry
		got := s.send(request{path: "/1/status/" + user + "/webhooks/elsewhere"})
		if err := json.Unmarshal([]byte(got.body), &entries); err != nil {
			t.Fatalf("%v in %s", err, got.body)
		}
		for _, e := range entries {
			if e.Provider == core.ProviderPlatform {
				found = append(found, e.Event)
			}
		}
		slices.Reverse(found)
		return found
	}
	want := []string{"restart", "stop", "deploy", "stop"}
	eventually(t, "the last event", func() bool { return len(events()) >= len(want) }, s.stderr)
	if got := events(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if p.left() {
		t.Error("no removal of events failed")
	}
}
