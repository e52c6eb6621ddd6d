package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

func (r *repository) link(target, name string) {
	r.h.t.Helper()
	if err := os.Symlink(target, filepath.Join(r.work, name)); err != nil {
		r.h.t.Fatal(err)
	}
}

// A server that is killed during a deployment completes it after the restart. The
// version that ran before runs again.
func TestKilledDuringADeployment(t *testing.T) {
	t.Parallel()
	eachRunner(t, killedDuringADeployment)
}

func killedDuringADeployment(t *testing.T, flags ...string) {
	h := github(t)
	s := serve(t, h.flags(flags...)...)
	repo := h.repository("killed")
	repo.hook(s)
	repo.commit("first", map[string]string{"package.json": packageJSON("killed"), "index.js": node("first")})
	if got := answered(repo.pushed()); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	for _, stage := range []string{"/contents/package.json", "/tarball/", "/legacy.tar.gz"} {
		commit := repo.commit(stage, map[string]string{"index.js": node("after " + stage)})
		arrived, release := h.Hold(sim.Matching("GET", stage))
		payload := push(object{
			"after": commit, "head_commit": object{"id": commit, "message": stage}, "commits": []object{},
			"repository": object{"name": "killed", "default_branch": "main", "owner": object{"login": user, "name": user}},
		})
		accepted := s.send(request{path: "/1/deploy", body: text(t, payload), header: map[string]string{
			"X-GitHub-Event": "push", "X-GitHub-Delivery": "delivery-of-" + commit, "Prefer": "respond-async",
		}})
		if accepted.status != 202 || accepted.header.Get("Location") == "" || !strings.Contains(accepted.header.Get("Preference-Applied"), "respond-async") {
			t.Fatalf("got %d %v %s", accepted.status, accepted.header, accepted.body)
		}
		<-arrived
		s.kill()
		release()
		s.start()
		id, _ := accepted.json(t)["id"].(string)
		s.outcome(id, "ok")
		if app := s.app("killed.localhost"); app.body != "after "+stage {
			t.Errorf("%s: the app answers %d %s", stage, app.status, app.body)
		}
	}
}
