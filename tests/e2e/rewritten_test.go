package e2e

import (
	"strings"
	"testing"
)

// A branch that was reset deploys its older commit. A commit that is gone when it
// is fetched fails, and later pushes are deployed.
func TestRewrittenBranch(t *testing.T) {
	t.Parallel()
	eachRunner(t, rewrittenBranch)
}

func rewrittenBranch(t *testing.T, flags ...string) {
	h := github(t)
	s := serve(t, h.flags(flags...)...)
	repo := h.repository("rewritten")
	repo.hook(s)
	app := func(want string) {
		t.Helper()
		if app := s.app("rewritten.localhost"); app.body != want {
			t.Errorf("the app answers %d %s, want %s", app.status, app.body, want)
		}
	}
	repo.commit("first", map[string]string{"package.json": packageJSON("rewritten"), "index.js": node("first")})
	answered(repo.pushed()).change(t, 200, "ok")
	repo.commit("second", map[string]string{"index.js": node("second")})
	answered(repo.pushed()).change(t, 200, "ok")
	app("second")

	repo.git("reset", "--quiet", "--hard", "HEAD~")
	repo.git("push", "--quiet", "--force", repo.remote, "HEAD")
	answered(repo.pushed()).change(t, 200, "ok")
	app("first")

	gone := strings.Repeat("d", 40) // no commit has this id
	s.send(repo.delivery(t, gone, "gone", nil)).failure(t, 502, "deploy:github:no_pkg_json")
	app("first")
	repo.commit("third", map[string]string{"index.js": node("third")})
	answered(repo.pushed()).change(t, 200, "ok")
	app("third")
}
