package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// A push deploys an app, and a version that does not start does not replace it.
func TestPushDeploysAnApp(t *testing.T) {
	t.Parallel()
	eachRunner(t, pushDeploysAnApp)
}

func pushDeploysAnApp(t *testing.T, flags ...string) {
	h := github(t)
	s := serve(t, h.flags(flags...)...)
	repo := h.repository("hello")
	repo.hook(s)
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("hello"), "index.js": node("first")})
	got := answered(repo.pushed())
	change := got.json(t)
	if got.status != 200 || change["status"] != "ok" || change["app_name"] != "hello" ||
		change["commit"] != "dscape/hello/"+commit || change["provider"] != "github" {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if app := s.app("hello.localhost"); app.status != 200 || app.body != "first" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
	repo.commit("second", map[string]string{"index.js": node("second")})
	if got := answered(repo.pushed()); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if app := s.app("hello.localhost"); app.body != "second" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	// A version that exits at once does not replace the one before.
	repo.commit("broken", map[string]string{"index.js": "throw new Error('does not start')"})
	failed := answered(repo.pushed())
	failure := failed.json(t)
	if failed.status != 500 || failure["error"] != "deploy:nodejitsu:start_app" || failure["id"] == nil {
		t.Fatalf("got %d %s", failed.status, failed.body)
	}
	id, _ := failure["id"].(string)
	if entry := s.send(request{path: strings.TrimPrefix(id, s.api)}); !strings.Contains(entry.body, "does not start") {
		t.Errorf("the app's last lines are not in the entry: %s", entry.body)
	}
	if app := s.app("hello.localhost"); app.body != "second" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	list := s.send(request{path: "/1/status/dscape/webhooks/hello?limit=2"})
	if list.status != 200 || list.header.Get("X-Total-Count") != "3" || !strings.Contains(list.header.Get("Link"), `rel="next"`) {
		t.Errorf("the log: %d %v %s", list.status, list.header, list.body)
	}
	if none := s.send(request{path: "/1/status/dscape/webhooks/nothing"}); none.status != 404 || none.json(t)["error"] != "status:db:not_found" {
		t.Errorf("got %d %s", none.status, none.body)
	}
}

// A push of a repository with a .travis.yml is held until Travis CI reports.
func TestPushHeldForTravis(t *testing.T) {
	t.Parallel()
	eachRunner(t, pushHeldForTravis)
}

func pushHeldForTravis(t *testing.T, flags ...string) {
	h := github(t)
	s := serve(t, h.flags(flags...)...)
	repo := h.repository("tested")
	repo.hook(s)
	report := func(commit, state string) answer {
		t.Helper()
		d, err := h.NotifyTravis(t.Context(), s.deployURL(), sim.TravisBuild{Owner: user, Repo: "tested", Commit: commit, State: state, BuildID: int64(len(h.Deliveries()) + 1)})
		if err != nil || d.Err != nil {
			t.Fatal(err, d.Err)
		}
		return answered(d)
	}
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("tested"), "index.js": node("tested"), ".travis.yml": travisYML})
	held := answered(repo.pushed())
	change := held.json(t)
	if held.status != http.StatusAccepted || change["status"] != "held" || change["reason"] == nil {
		t.Fatalf("got %d %s", held.status, held.body)
	}
	if app := s.app("tested.localhost"); app.status != 404 {
		t.Errorf("the app answers %d %s before the report", app.status, app.body)
	}
	id, _ := change["id"].(string)
	if got := report(commit, "passed"); got.status != 200 || got.json(t)["status"] != "ok" {
		t.Fatalf("the report: %d %s", got.status, got.body)
	}
	s.outcome(id, "ok")
	if app := s.app("tested.localhost"); app.body != "tested" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	commit = repo.commit("second", map[string]string{"index.js": node("fails its tests")})
	id, _ = answered(repo.pushed()).json(t)["id"].(string)
	if got := report(commit, "failed"); got.status != 200 || got.json(t)["status"] != "skipped" {
		t.Errorf("the report: %d %s", got.status, got.body)
	}
	s.outcome(id, "skipped")

	repo.commit("third", map[string]string{"index.js": node("third")})
	third, _ := answered(repo.pushed()).json(t)["id"].(string)
	repo.commit("fourth", map[string]string{"index.js": node("fourth")})
	fourth, _ := answered(repo.pushed()).json(t)["id"].(string)
	s.outcome(third, "skipped")
	s.outcome(fourth, "held")
	released := s.send(request{method: "POST", path: strings.TrimPrefix(fourth, s.api) + "/release"})
	if released.status != 200 && released.status != 202 {
		t.Errorf("the release: %d %s", released.status, released.body)
	}
	s.outcome(fourth, "ok")

	repo.commit("fifth [skip ci]", map[string]string{"index.js": node("fifth")})
	if got := answered(repo.pushed()); got.status != 200 || got.json(t)["status"] != "skipped" {
		t.Errorf("a commit that skips CI: %d %s", got.status, got.body)
	}
	if app := s.app("tested.localhost"); app.body != "fourth" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
	// If only the head skips CI, Travis builds the commit before it.
	commit = repo.commit("sixth", map[string]string{"index.js": node("sixth")})
	repo.commit("seventh [skip ci]", map[string]string{"index.js": node("seventh")})
	last, _ := answered(repo.pushed()).change(t, 202, "held")["id"].(string)
	if got := report(commit, "passed"); got.status != 200 || got.json(t)["status"] != "ok" {
		t.Errorf("the report: %d %s", got.status, got.body)
	}
	s.outcome(last, "ok")
	if app := s.app("tested.localhost"); app.body != "seventh" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
}

// A push is skipped if there is no report in time.
func TestHoldTimeout(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--hold-timeout", "1s")...)
	repo := h.repository("slow")
	repo.hook(s)
	repo.commit("first", map[string]string{"package.json": packageJSON("slow"), ".travis.yml": travisYML})
	id, _ := answered(repo.pushed()).json(t)["id"].(string)
	if got := s.outcome(id, "skipped"); !strings.Contains(got["reason"].(string), "did not come within") {
		t.Errorf("got %v", got)
	}
}

// A webhook secret authenticates a delivery.
func TestSignedDelivery(t *testing.T) {
	t.Parallel()
	eachRunner(t, signedDelivery)
}

func signedDelivery(t *testing.T, flags ...string) {
	h := github(t)
	s := serve(t, h.flags(flags...)...)
	secret := strings.TrimSpace(s.run("", "secrets", "add", user, "github", "--data", s.data))
	repo := h.repository("signed")
	hook := func(secret string) sim.Delivery {
		ping, err := h.Hook(t.Context(), user, "signed", s.api+"/1/deploy?user="+user, sim.HookOptions{Secret: core.NewSecret(secret)})
		if err != nil {
			t.Fatal(err)
		}
		return ping
	}
	if got := hook("wrong"); got.Status != 401 || !strings.Contains(string(got.Body), "deploy:auth:bad_signature") {
		t.Errorf("a wrong secret: %d %s", got.Status, got.Body)
	}
	if got := hook(secret); got.Status != 200 {
		t.Errorf("the secret: %d %s", got.Status, got.Body)
	}
	repo.commit("first", map[string]string{"package.json": packageJSON("signed"), "index.js": node("signed")})
	deliveries, err := h.Pushed(t.Context(), user, "signed")
	if err != nil || len(deliveries) != 2 || deliveries[0].Status != 401 || deliveries[1].Status != 200 {
		t.Fatalf("got %+v, %v", deliveries, err)
	}
	if app := s.app("signed.localhost"); app.body != "signed" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
	// A redelivery has the same id, and deploys nothing again.
	again, err := h.Redeliver(t.Context(), deliveries[1].GUID)
	if err != nil || again.Status != 200 {
		t.Fatalf("the redelivery: %d %s, %v", again.Status, again.Body, err)
	}
	first, second := answered(deliveries[1]).json(t), answered(again).json(t)
	if first["id"] != second["id"] {
		t.Errorf("got %v, want the first one's change %v", second["id"], first["id"])
	}
}
