package e2e

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/client"
)

// awaitEvent waits until the feed has an outcome of something that happened on the
// platform, and returns its entry.
func (s *server) awaitEvent(event string) core.Entry {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for change, err := range s.asUser().Feed(ctx, client.FeedOptions{Since: "0", Docs: core.DocAlways}) {
		if err != nil {
			s.t.Fatalf("no event %s of the platform came: %v", event, err)
		}
		if e := change.Doc; e.Provider == core.ProviderPlatform && e.Event == event && e.Status.Outcome() {
			return *e
		}
	}
	return core.Entry{}
}

// An app belongs to the repository that deployed it first; another one deploys its own
// under another name.
func TestAppOfAnotherRepository(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	one, two := h.repository("one"), h.repository("two")
	files := func(text string) map[string]string {
		return map[string]string{"package.json": packageJSON("shared"), "index.js": node(text)}
	}
	s.send(one.delivery(t, one.commit("one", files("one")), "a", nil)).change(t, 200, "ok")
	r := two.delivery(t, two.commit("two", files("two")), "b", nil)
	got := s.send(r)
	reason, _ := got.failure(t, 409, "deploy:app:other_source")["reason"].(string)
	if !strings.Contains(reason, "github.com/dscape/one@main") || !strings.Contains(reason, "webhooks apps source shared") {
		t.Errorf("got the reason %q", reason)
	}
	if app := s.app("shared.localhost"); app.body != "one" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
	r.path += "?app=named"
	if change := s.send(r).change(t, 200, "ok"); change["app_name"] != "named" || change["url"] == nil {
		t.Errorf("got %v", change)
	}
	if app := s.app("named.localhost"); app.body != "two" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	// What a secret is for can't be changed by the URL.
	secret := strings.TrimSpace(s.run("", "secrets", "add", user, "hook", "--app", "signed", "--data", s.data))
	r.anonymous, r.path = true, "/1/deploy?user="+user
	r.header["X-Hub-Signature-256"] = "sha256=" + hex.EncodeToString(mac(secret, r.body))
	if change := s.send(r).change(t, 200, "ok"); change["app_name"] != "signed" {
		t.Errorf("got %v", change)
	}
	r.path += "&app=shared"
	s.send(r).failure(t, 409, "deploy:params:fixed")
}

// A person delivers again, cancels, and sees on the feed what was done by other means.
func TestByHand(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	repo := h.repository("byhand")
	path := func(change map[string]any) string {
		id, _ := change["id"].(string)
		return strings.TrimPrefix(id, s.api)
	}
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("byhand"), "index.js": node("first")})
	first := s.send(repo.delivery(t, commit, "a", nil)).change(t, 200, "ok")
	s.send(repo.delivery(t, repo.commit("second", map[string]string{"index.js": node("second")}), "b", nil)).change(t, 200, "ok")
	again := s.outcome(s.send(request{method: "POST", path: path(first) + "/redeliver"}).change(t, 202, "pending")["id"].(string), "ok")
	if app := s.app("byhand.localhost"); app.body != "first" || again["id"] == first["id"] {
		t.Errorf("delivered again the app answers %d %s; the change is %v", app.status, app.body, again)
	}

	platform := &server{t: t, api: s.platform}
	if got := platform.send(request{method: "POST", path: "/apps/" + user + "/byhand/restart"}); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	restart := s.awaitEvent("restart")
	if restart.By != user || restart.Status != core.StatusOK || restart.App != "byhand" || restart.Commit.ID != commit {
		t.Errorf("got %+v", restart)
	}
	s.send(request{method: "POST", path: "/1/status/" + user + "/changes/" + restart.ID + "/redeliver"}).failure(t, 409, "deploy:redeliver:no_payload")

	// A version that crashes soon is rolled back; that is on the feed, too.
	commit = repo.commit("crashes", map[string]string{
		"index.js": "require('node:http').createServer((q, r) => { r.end('third', () => process.exit(3)); }).listen(process.env.PORT);",
	})
	third := s.send(repo.delivery(t, commit, "c", nil)).change(t, 200, "ok")
	s.app("byhand.localhost") // at which it exits
	crash := s.awaitEvent("crash")
	if crash.Status != core.StatusError || crash.Error.Code != core.CodeAppCrashed || crash.Commit.ID != commit || !strings.Contains(crash.Reason, "runs again") {
		t.Errorf("got %+v", crash)
	}
	if got := s.send(request{path: "/1/status/" + user + "/changes/" + crash.ID}); !strings.Contains(got.body, `"error":"deploy:app:crashed"`) {
		t.Errorf("got %d %s", got.status, got.body)
	}
	// The push that deployed it failed in the end, so that delivering it again deploys it.
	rolledBack := s.send(request{path: path(third)}).json(t)
	if rolledBack["status"] != "error" || rolledBack["error"] != "deploy:app:crashed" {
		t.Errorf("got %v", rolledBack)
	}
	s.send(repo.delivery(t, commit, "c", nil)).change(t, 200, "ok")
	if app := s.app("byhand.localhost"); app.body != "third" {
		t.Errorf("delivered again the app answers %d %s", app.status, app.body)
	}

	commit = repo.commit("held", map[string]string{"index.js": node("held"), ".travis.yml": travisYML})
	held := s.send(repo.delivery(t, commit, "d", nil)).change(t, 202, "held")
	s.send(request{method: "POST", path: path(held) + "/redeliver"}).failure(t, 409, "deploy:redeliver:live")
	s.send(request{method: "DELETE", path: path(held)}).change(t, 200, "skipped")
	s.send(request{method: "DELETE", path: path(held)}).failure(t, 409, "deploy:cancel:over")

	commit = repo.commit("never ready", map[string]string{"index.js": "setInterval(() => {}, 1000)", ".travis.yml": ""})
	starting := s.send(repo.delivery(t, commit, "e", async())).change(t, 202, "pending")
	s.until(starting["id"].(string), "that it is being started", func(change map[string]any) bool {
		step, _ := change["step"].(map[string]any)
		return step["name"] == "start" && step["state"] == "running"
	})
	s.send(request{method: "DELETE", path: path(starting)}).failure(t, 409, "deploy:cancel:starting")
	s.kill() // it would wait for the app
}
