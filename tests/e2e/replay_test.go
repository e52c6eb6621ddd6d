package e2e

import (
	"encoding/hex"
	"strings"
	"testing"
)

// A captured delivery that is sent again with another id, which the signature does
// not cover, or without one, deploys nothing again.
func TestReplayedDelivery(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	secret := strings.TrimSpace(s.run("", "secrets", "add", user, "github", "--data", s.data))
	repo := h.repository("captured")
	signed := func(name, id string, pushedAt int) request {
		commit := repo.commit(name, map[string]string{"package.json": packageJSON("captured"), "index.js": node(name)})
		r := repo.delivery(t, commit, id, nil)
		r.body = strings.Replace(r.body, `"default_branch"`, `"pushed_at":`+text(t, pushedAt)+`,"default_branch"`, 1)
		r.path += "?user=" + user
		r.anonymous = true
		r.header["X-Hub-Signature-256"] = "sha256=" + hex.EncodeToString(mac(secret, r.body))
		return r
	}
	older := signed("older", "one", 1_800_000_000)
	first := s.send(older).change(t, 200, "ok")
	newer := signed("newer", "two", 1_800_000_100)
	second := s.send(newer).change(t, 200, "ok")
	for _, id := range []string{"one", "", "three", "no id", strings.Repeat("x", 200)} {
		for _, captured := range []struct {
			request
			id any
		}{{older, first["id"]}, {newer, second["id"]}} {
			if captured.header["X-GitHub-Delivery"] = id; id == "" {
				delete(captured.header, "X-GitHub-Delivery")
			}
			if got := s.send(captured.request).change(t, 200, "ok"); got["id"] != captured.id {
				t.Errorf("with the id %q: got %v, want the change of %v", id, got["id"], captured.id)
			}
		}
	}
	if app := s.app("captured.localhost"); app.body != "newer" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
	if n := h.requested("/captured/legacy.tar.gz"); n != 2 {
		t.Errorf("the tarball was fetched %d times", n)
	}
}
