package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// A backup of a server that runs, restored on another machine, has the log, the
// users and the apps, which run there.
func TestBackup(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--apps-listen", "")...)
	repo := h.repository("saved")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("saved"), "index.js": node("saved")})
	s.send(repo.delivery(t, commit, "1", nil)).change(t, 200, "ok")
	archive := filepath.Join(filepath.Dir(s.data), "backup.tar.gz")
	if out := s.run("", "admin", "backup", archive, "--data", s.data); !strings.Contains(out, "written to "+archive) {
		t.Errorf("got %s", out)
	}
	if !strings.Contains(s.stderr(), `"backup written"`) {
		t.Error("the server did not write the backup")
	}
	s.kill()
	s.data = filepath.Join(filepath.Dir(s.data), "restored")
	s.run("", "admin", "restore", archive, "--data", s.data)
	s.start()
	if got := s.send(request{path: "/1/status/dscape/webhooks"}); got.status != http.StatusOK || !strings.Contains(got.body, `"app_name":"saved"`) {
		t.Errorf("the log after the restore: %d %s", got.status, got.body)
	}
	visit := visitor(t, nil)
	eventually(t, "the app answers", func() bool {
		got := visit(http.MethodGet, strings.Replace(s.api, "127.0.0.1", "saved.localhost", 1), "")
		return got.status == http.StatusOK && strings.Contains(got.body, "saved")
	}, s.stderr)
	s.send(repo.delivery(t, repo.commit("second", map[string]string{"index.js": node("again")}), "2", nil)).change(t, 200, "ok")
}
