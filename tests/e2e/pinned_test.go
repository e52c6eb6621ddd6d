package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// If the operator pins keys of Travis CI, each of them is accepted and no other one,
// whatever the API of Travis CI says.
func TestPinnedTravisKeys(t *testing.T) {
	t.Parallel()
	h := github(t)
	dir := t.TempDir()
	pinned := func(name, public string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(public), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first, firstPublic := signing(t)
	second, secondPublic := signing(t)
	other, otherPublic := signing(t)
	s := serve(t, h.flags("--travis-url", travisAPI(t, otherPublic),
		"--travis-public-keys", pinned("first.pem", firstPublic)+","+pinned("second.pem", secondPublic))...)
	for name, by := range map[string]travis{"by-first": {h, s, first}, "by-second": {h, s, second}} {
		repo := h.repository(name)
		commit := repo.commit("first", map[string]string{"package.json": packageJSON(name), "index.js": node(name), ".travis.yml": travisYML})
		id, _ := s.send(repo.delivery(t, commit, name, nil)).change(t, 202, "held")["id"].(string)
		report := sim.TravisBuild{Repo: name, Commit: commit}
		travis{h, s, other}.report(s.bare(), report).failure(t, 401, "deploy:auth:bad_signature")
		if still := s.send(request{path: strings.TrimPrefix(id, s.api)}).json(t); still["status"] != "held" {
			t.Fatalf("got %v", still)
		}
		by.report(s.bare(), report).change(t, 200, "ok")
		s.outcome(id, "ok")
	}
}
