package e2e

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// requested counts the requests whose path contains part.
func (h hub) requested(part string) (n int) {
	for _, r := range h.Requests() {
		if strings.Contains(r.Path, part) {
			n++
		}
	}
	return n
}

// delivery returns a push of a commit as GitHub delivers it, for the test to send.
func (r *repository) delivery(t *testing.T, commit, id string, more map[string]string) request {
	t.Helper()
	header := map[string]string{"X-GitHub-Event": "push", "X-GitHub-Delivery": id}
	maps.Copy(header, more)
	return request{path: "/1/deploy", header: header, body: text(t, push(object{
		"after": commit, "head_commit": object{"id": commit, "message": "change"}, "commits": []object{{"id": commit, "message": "change"}},
		"repository": object{"name": r.name, "default_branch": "main", "owner": object{"login": user, "name": user}},
	}))}
}

// async is the preference for an answer at once.
func async() map[string]string { return map[string]string{"Prefer": "respond-async"} }

// A repeated delivery is the same entry and deploys nothing again, in whichever
// state the entry is. After a failure it is another attempt.
func TestRepeatedDelivery(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	repo := h.repository("again")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("again"), "index.js": node("first")})

	// While it is being deployed.
	arrived, release := h.Hold(sim.Matching("GET", "/contents/package.json"))
	first := s.send(repo.delivery(t, commit, "one", async())).change(t, 202, "pending")
	<-arrived
	second := s.send(repo.delivery(t, commit, "one", async())).change(t, 202, "pending")
	release()
	// When it is done.
	id, _ := first["id"].(string)
	s.outcome(id, "ok")
	third := s.send(repo.delivery(t, commit, "one", nil)).change(t, 200, "ok")
	if second["id"] != id || third["id"] != id {
		t.Errorf("got %v and %v, want %s", second["id"], third["id"], id)
	}
	if n := h.requested("/legacy.tar.gz"); n != 1 {
		t.Errorf("the tarball was fetched %d times", n)
	}
	// A delivery of another user with that id is another entry.
	s.run("another password\n", "users", "add", "other", "--new-password-file", "-", "--data", s.data)
	theirs := repo.delivery(t, commit, "one", async())
	theirs.credentials = "other:another password"
	if other := s.send(theirs).json(t); other["id"] == id || other["error"] != nil {
		t.Errorf("another user got %v", other)
	}

	// While it is held.
	commit = repo.commit("held", map[string]string{"index.js": node("held"), ".travis.yml": travisYML})
	held := s.send(repo.delivery(t, commit, "two", nil)).change(t, 202, "held")
	if again := s.send(repo.delivery(t, commit, "two", nil)).change(t, 202, "held"); again["id"] != held["id"] {
		t.Errorf("got %v, want %v", again["id"], held["id"])
	}

	// After a failure.
	commit = repo.commit("fails", map[string]string{"index.js": node("third"), ".travis.yml": ""})
	h.Fail(sim.Matching("GET", "/again/contents/package.json"), 1, 404, nil)
	failed := s.send(repo.delivery(t, commit, "three", nil)).failure(t, 502, "deploy:github:no_pkg_json")
	mended := s.send(repo.delivery(t, commit, "three", nil)).change(t, 200, "ok")
	if mended["id"] != failed["id"] {
		t.Errorf("got %v, want %v", mended["id"], failed["id"])
	}
	doc := s.entry(mended)
	if doc["attempts"] != float64(2) || doc["error"] != nil {
		t.Errorf("got %v attempts and the error %v", doc["attempts"], doc["error"])
	}
	if app := s.app("again.localhost"); app.body != "third" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
}

// If a newer push arrives while one is being deployed, the newer one runs in the
// end, never the older one.
func TestNewestPushWins(t *testing.T) {
	t.Parallel()
	eachRunner(t, newestPushWins)
}

func newestPushWins(t *testing.T, flags ...string) {
	h := github(t)
	s := serve(t, h.flags(flags...)...)
	repo := h.repository("newest")
	for _, stage := range []string{"/contents/package.json", "/legacy.tar.gz"} {
		older := repo.commit("older", map[string]string{"package.json": packageJSON("newest"), "index.js": node("older " + stage)})
		newer := repo.commit("newer", map[string]string{"index.js": node("newer " + stage)})
		arrived, release := h.Hold(sim.Matching("GET", stage))
		first := s.send(repo.delivery(t, older, "older"+stage, async())).change(t, 202, "pending")
		<-arrived
		second := s.send(repo.delivery(t, newer, "newer"+stage, async())).change(t, 202, "pending")
		release()
		firstID, _ := first["id"].(string)
		secondID, _ := second["id"].(string)
		if skipped := s.outcome(firstID, "skipped"); !strings.Contains(skipped["reason"].(string), "Superseded") {
			t.Errorf("%s: got %v", stage, skipped)
		}
		s.outcome(secondID, "ok")
		if app := s.app("newest.localhost"); app.body != "newer "+stage {
			t.Errorf("%s: the app answers %d %s", stage, app.status, app.body)
		}
		// The skipped push is delivered again: it is still the older one.
		s.send(repo.delivery(t, older, "older"+stage, nil)).change(t, 200, "skipped")
		if app := s.app("newest.localhost"); app.body != "newer "+stage {
			t.Errorf("%s: the app answers %d %s", stage, app.status, app.body)
		}
	}
}

// A held entry can be released once, by its owner.
func TestReleaseOfAHeldEntry(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	repo := h.repository("once")
	repo.hook(s)
	repo.commit("first", map[string]string{"package.json": packageJSON("once"), "index.js": node("once"), ".travis.yml": travisYML})
	id, _ := answered(repo.pushed()).change(t, 202, "held")["id"].(string)
	path := strings.TrimPrefix(id, s.api) + "/release"
	s.send(request{method: http.MethodPost, path: path, header: async()}).change(t, 202, "pending")
	s.outcome(id, "ok")
	s.send(request{method: http.MethodPost, path: path}).failure(t, 409, "deploy:release:not_held")
	if app := s.app("once.localhost"); app.body != "once" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}

	// Of many at the same time one succeeds, and the others are refused.
	repo.commit("many", nil)
	id, _ = answered(repo.pushed()).change(t, 202, "held")["id"].(string)
	got := make([]answer, 8)
	var sending sync.WaitGroup
	for i := range got {
		sending.Go(func() {
			got[i] = s.send(request{method: http.MethodPost, path: strings.TrimPrefix(id, s.api) + "/release", header: async()})
		})
	}
	sending.Wait()
	released := 0
	for _, a := range got {
		switch a.status {
		case 200, 202:
			released++
		case 409:
		default:
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
	if released != 1 {
		t.Errorf("%d of %d released it", released, len(got))
	}
	s.outcome(id, "ok")
}
