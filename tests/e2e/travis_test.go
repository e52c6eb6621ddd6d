package e2e

import (
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// travis is Travis CI: it signs, unless it has no key.
type travis struct {
	h   hub
	s   *server
	key *rsa.PrivateKey
}

// signing returns a key to sign with and its public half, in PEM.
func signing(t *testing.T) (key *rsa.PrivateKey, public string) {
	t.Helper()
	key, public, err := sim.NewTravisKey()
	if err != nil {
		t.Fatal(err)
	}
	return key, public
}

// travisAPI returns the URL of an API that tells the key, as Travis CI's does.
func travisAPI(t *testing.T, public string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method+r.URL.Path != "GET/config" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"config": map[string]any{"notifications": map[string]any{"webhook": map[string]string{"public_key": public}}},
		})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// report posts a report of a build, without credentials unless some are
// in the URL.
func (c travis) report(to string, b sim.TravisBuild) answer {
	c.s.t.Helper()
	b.Owner, b.PrivateKey = user, c.key
	d, err := c.h.NotifyTravis(c.s.t.Context(), to, b)
	if err != nil || d.Err != nil {
		c.s.t.Fatal(err, d.Err)
	}
	return answered(d)
}

// bare is the address of the API without credentials.
func (s *server) bare() string { return s.api + "/1/deploy" }

// entry returns the doc of a change's entry.
func (s *server) entry(change map[string]any) map[string]any {
	s.t.Helper()
	id, _ := change["id"].(string)
	got := s.send(request{path: strings.TrimPrefix(id, s.api)})
	doc, _ := got.json(s.t)["doc"].(map[string]any)
	if got.status != 200 || doc == nil {
		s.t.Fatalf("looking up %q: %d %s", id, got.status, got.body)
	}
	return doc
}

// change wants an answer with an HTTP status and the status of a change.
func (a answer) change(t *testing.T, code int, status string) map[string]any {
	t.Helper()
	change := a.json(t)
	if a.status != code || change["status"] != status {
		t.Fatalf("got %d %s, want %d and the status %q", a.status, a.body, code, status)
	}
	return change
}

// failure wants an answer with an HTTP status and an error code.
func (a answer) failure(t *testing.T, status int, code string) map[string]any {
	t.Helper()
	failure := a.json(t)
	if a.status != status || failure["error"] != code {
		t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
	return failure
}

// A report with the signature of Travis CI releases the held push of its commit,
// without credentials of a user, and does nothing else.
func TestTravisSignature(t *testing.T) {
	t.Parallel()
	h := github(t)
	key, public := signing(t)
	wrong, _ := signing(t)
	s := serve(t, h.flags("--travis-url", travisAPI(t, public))...)
	good, bad, none := travis{h, s, key}, travis{h, s, wrong}, travis{h, s, nil}
	repo := h.repository("signed")
	repo.hook(s)
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("signed"), "index.js": node("signed"), ".travis.yml": travisYML})
	held := answered(repo.pushed()).change(t, 202, "held")
	id, _ := held["id"].(string)
	passed := sim.TravisBuild{Repo: "signed", Commit: commit}

	bad.report(s.bare(), passed).failure(t, 401, "deploy:auth:bad_signature")
	bad.report(s.deployURL(), passed).failure(t, 401, "deploy:auth:bad_signature") // even beside good credentials
	none.report(s.bare(), passed).failure(t, 401, "deploy:auth:bad_creds")
	none.report(s.bare()+"?user="+user, passed).failure(t, 401, "deploy:auth:bad_creds")
	if still := s.send(request{path: strings.TrimPrefix(id, s.api)}).json(t); still["status"] != "held" {
		t.Fatalf("got %v", still)
	}
	released := good.report(s.bare(), passed).change(t, 200, "ok")
	if released["id"] != nil {
		t.Errorf("the report is in no user's log, but its answer names %v", released["id"])
	}
	push := s.outcome(id, "ok")
	if notes, _ := s.entry(push)["notes"].([]any); len(notes) != 1 || !strings.Contains(notes[0].(string), released["uuid"].(string)) {
		t.Errorf("the notes of the push do not name the report %v: %v", released["uuid"], notes)
	}
	if app := s.app("signed.localhost"); app.body != "signed" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	// If nothing is held, nothing is deployed: the report is kept, for the
	// push that comes within the time. Naming a user puts it into no user's log:
	// any customer of Travis CI has reports that are signed.
	before := len(h.Requests())
	commit = repo.commit("second", map[string]string{"index.js": node("second")})
	early := sim.TravisBuild{Repo: "signed", Commit: commit, BuildID: 2}
	answer := good.report(s.bare()+"?user="+user, early)
	kept := answer.change(t, 202, "held")
	if kept["id"] != nil || answer.header.Get("Location") != "" {
		t.Errorf("got id %v and Location %q, at which nothing is", kept["id"], answer.header.Get("Location"))
	}
	if reason, _ := kept["reason"].(string); !strings.Contains(reason, "the push of the commit") {
		t.Errorf("got reason %q", reason)
	}
	if n := len(h.Requests()); n != before {
		t.Errorf("GitHub was asked %d times for a report alone", n-before)
	}
	answered(repo.pushed()).change(t, 200, "ok")
	logged := s.send(request{path: "/1/status/" + user + "/webhooks?limit=100"})
	var entries []struct{ UUID, Kind string }
	if err := json.Unmarshal([]byte(logged.body), &entries); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.UUID == kept["uuid"] || e.Kind != "push" && e.Kind != "ping" {
			t.Errorf("the report %s is in the user's log", e.UUID)
		}
	}
	if app := s.app("signed.localhost"); app.body != "second" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	// A failure that came early keeps its push from being deployed.
	commit = repo.commit("third", map[string]string{"index.js": node("third")})
	good.report(s.bare(), sim.TravisBuild{Repo: "signed", Commit: commit, BuildID: 3, State: "failed"}).change(t, 200, "skipped")
	late := answered(repo.pushed()).change(t, 200, "skipped")
	if reason, _ := late["reason"].(string); !strings.Contains(reason, "failed") {
		t.Errorf("got reason %q", reason)
	}
}

// What each result of a build does to a held push.
func TestReportsOnHeldPushes(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	ci := travis{h, s, nil}
	repo := h.repository("held")
	repo.hook(s)
	repo.commit("first", map[string]string{"package.json": packageJSON("held"), "index.js": node("first"), ".travis.yml": travisYML})
	next := func(message string) (commit, id string) {
		t.Helper()
		commit = repo.commit(message, map[string]string{"index.js": node(message)})
		change := answered(repo.pushed()).change(t, 202, "held")
		hold, _ := s.entry(change)["hold"].(map[string]any)
		if hold["for"] == nil || hold["until"] == nil {
			t.Errorf("the entry does not say what it waits for: %v", hold)
		}
		id, _ = change["id"].(string)
		return commit, id
	}

	for i, state := range []string{"errored", "canceled", "failed"} {
		commit, id := next(state)
		got := ci.report(s.deployURL(), sim.TravisBuild{Repo: "held", Commit: commit, State: state, BuildID: int64(i + 1)}).change(t, 200, "skipped")
		if reason, _ := got["reason"].(string); !strings.Contains(reason, state) {
			t.Errorf("got reason %q", reason)
		}
		if push := s.outcome(id, "skipped"); !strings.Contains(push["reason"].(string), state) {
			t.Errorf("got reason %q", push["reason"])
		}
	}
	if app := s.app("held.localhost"); app.status != 404 {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	// Builds that say nothing of the push itself change nothing.
	commit, id := next("untouched")
	// What waits, and what Travis stopped, is in the log of its app.
	for query, want := range map[string]int{"status=held": 4, "status=skipped": 3} {
		feed := s.send(request{path: "/1/status/" + user + "/changes?since=0&feed=normal&app=held&" + query})
		seen := map[string]bool{}
		for line := range strings.Lines(feed.body) {
			seen[answer{body: line}.json(t)["id"].(string)] = true
		}
		if len(seen) != want || query == "status=held" && !seen[id] {
			t.Errorf("%s lists %v, want %d entries of the app", query, seen, want)
		}
	}
	if got := s.send(request{path: "/1/status/" + user + "/webhooks/held"}); got.status != 200 || got.header.Get("X-Total-Count") != "4" {
		t.Errorf("the log of the app: %d, %s entries, %s", got.status, got.header.Get("X-Total-Count"), got.body)
	}
	for i, b := range []sim.TravisBuild{
		{State: "started"}, {PullRequest: 3}, {Tag: "v1"}, {Type: "cron"},
	} {
		b.Repo, b.Commit, b.BuildID = "held", commit, int64(10+i)
		ci.report(s.deployURL(), b).change(t, 200, "ignored")
	}
	// "Fixed", in the words of old payloads, is a pass as well.
	payload := build(object{
		"id": 20, "commit": commit, "branch": "main", "status_message": "Fixed", "result_message": "Fixed",
		"repository": object{"id": 1, "name": "held", "owner_name": user},
	})
	delete(payload, "state")
	delete(payload, "type")
	s.send(request{path: "/1/deploy", body: form(text(t, payload)), header: formType}).change(t, 200, "ok")
	s.outcome(id, "ok")
	if app := s.app("held.localhost"); app.body != "untouched" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	// Travis builds one commit of a push, which may be another than its head.
	repo.commit("of two, one", map[string]string{"index.js": node("one")})
	one := repo.git("rev-parse", "HEAD")
	_, id = next("of two, two")
	first := ci.report(s.deployURL(), sim.TravisBuild{Repo: "held", Commit: one, BuildID: 30}).change(t, 200, "ok")
	if first["id"] != id || first["app_name"] != "held" {
		t.Errorf("the report is answered with %v, want the push %s, done", first, id)
	}
	if app := s.app("held.localhost"); app.body != "of two, two" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	// The same report again is the same entry.
	before := s.send(request{path: "/1/status/" + user + "/webhooks"})
	again := ci.report(s.deployURL(), sim.TravisBuild{Repo: "held", Commit: one, BuildID: 30}).change(t, 200, "ok")
	if again["id"] != id {
		t.Errorf("the report is answered with %v, want %s", again["id"], id)
	}
	if after := s.send(request{path: "/1/status/" + user + "/webhooks"}); after.body != before.body {
		t.Errorf("the report was worked on again: %s", after.body)
	}

	// What its push fails of is the report's answer.
	h.Fail(sim.Matching("GET", "/legacy.tar.gz"), 1, 404, nil)
	commit, id = next("fails")
	failed := ci.report(s.deployURL(), sim.TravisBuild{Repo: "held", Commit: commit, BuildID: 31}).failure(t, 502, "deploy:github:download_tarball")
	if failed["id"] != id {
		t.Errorf("got %v, want the failure of %s", failed["id"], id)
	}
}

// A report with the credentials of a user deploys by itself if no push is held. A
// signature that can not be checked is ignored, with a note.
func TestReportThatDeploys(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	key, _ := signing(t)
	ci := travis{h, s, key}
	repo := h.repository("report")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("report"), "index.js": node("by a report")})
	ignored := ci.report(s.deployURL()+"?branch=trunk", sim.TravisBuild{Repo: "report", Commit: commit, Branch: "main"}).change(t, 200, "ignored")
	if reason, _ := ignored["reason"].(string); !strings.Contains(reason, `"trunk"`) {
		t.Errorf("got reason %q", reason)
	}
	change := ci.report(s.deployURL()+"?branch=main", sim.TravisBuild{Repo: "report", Commit: commit, Branch: "main"}).change(t, 200, "ok")
	if change["id"] == ignored["id"] {
		t.Errorf("a report for another branch is the same entry, %v", change["id"])
	}
	if change["provider"] != "travis" || change["app_name"] != "report" || change["commit"] != "dscape/report/"+commit {
		t.Errorf("got %v", change)
	}
	doc := s.entry(change)
	if notes, _ := doc["notes"].([]any); doc["signature"] != "unchecked" || len(notes) != 1 || !strings.Contains(notes[0].(string), "no key") {
		t.Errorf("got signature %v and notes %v", doc["signature"], doc["notes"])
	}
	if app := s.app("report.localhost"); app.status != http.StatusOK || app.body != "by a report" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	// The payload names no default branch, so GitHub is asked.
	second := repo.commit("second", map[string]string{"package.json": packageJSON("report"), "index.js": node("by another report")})
	ci.report(s.deployURL(), sim.TravisBuild{Repo: "report", Commit: second, Branch: "main"}).change(t, 200, "ok")
	third := repo.commit("third", map[string]string{"package.json": packageJSON("report"), "index.js": node("of a feature")})
	ignored = ci.report(s.deployURL(), sim.TravisBuild{Repo: "report", Commit: third, Branch: "feature", Number: "3"}).change(t, 200, "ignored")
	if reason, _ := ignored["reason"].(string); !strings.Contains(reason, `only "main" is deployed`) {
		t.Errorf("got reason %q", reason)
	}
}
