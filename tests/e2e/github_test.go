package e2e

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// hub is the stand-in for GitHub.
type hub struct {
	*sim.Server
	t *testing.T
}

func github(t *testing.T) hub {
	t.Helper()
	s := sim.New(sim.Options{
		Dir: filepath.Join(t.TempDir(), "github"),
		// Longer than any --wait here: on a slow machine the answer to a delivery
		// is late, not another one.
		DeliveryTimeout: 2 * patience,
	})
	if err := s.Start(t.Context(), "127.0.0.1:0", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return hub{s, t}
}

// flags returns the flags of a server that uses the stand-in.
func (h hub) flags(more ...string) []string {
	return append([]string{"--github-url", h.URL(), "--github-archive-hosts", h.ArchiveHost()}, more...)
}

// repository is a working copy and what it is pushed to.
type repository struct {
	h      hub
	name   string
	work   string
	remote string
}

// node returns an app that answers with a text.
func node(text string) string {
	return `const server = require('node:http').createServer((q, r) => r.end('` + text + `'));
server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close(() => process.exit()));
`
}

func packageJSON(name string) string {
	return `{"name":"` + name + `","version":"1.0.0","scripts":{"start":"node index.js"}}`
}

const travisYML = "language: node_js\nnotifications:\n  webhooks: http://example.com/1/deploy\n"

func (h hub) repository(name string) *repository {
	h.t.Helper()
	remote, err := h.CreateRepository(h.t.Context(), user, name, false)
	if err != nil {
		h.t.Fatal(err)
	}
	r := &repository{h: h, name: name, work: h.t.TempDir(), remote: remote}
	r.git("init", "--quiet", "--initial-branch", "main")
	return r
}

func (r *repository) git(args ...string) string {
	r.h.t.Helper()
	cmd := exec.CommandContext(r.h.t.Context(), "git", args...)
	cmd.Dir = r.work
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.h.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files, commits and pushes them, and returns the commit.
func (r *repository) commit(message string, files map[string]string) string {
	r.h.t.Helper()
	for name, content := range files {
		path := filepath.Join(r.work, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			r.h.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			r.h.t.Fatal(err)
		}
	}
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "--message", message)
	r.git("push", "--quiet", r.remote, "HEAD")
	return r.git("rev-parse", "HEAD")
}

// hook creates a webhook for s, with Basic auth.
func (r *repository) hook(s *server) {
	r.h.t.Helper()
	ping, err := r.h.Hook(r.h.t.Context(), user, r.name, s.deployURL(), sim.HookOptions{ContentType: "json"})
	if err != nil || ping.Status != 200 {
		r.h.t.Fatalf("the ping: %d %s, %v", ping.Status, ping.Body, err)
	}
}

// pushed makes GitHub deliver, and returns the delivery with the answer.
func (r *repository) pushed() sim.Delivery {
	r.h.t.Helper()
	deliveries, err := r.h.Pushed(r.h.t.Context(), user, r.name)
	if err != nil || len(deliveries) == 0 {
		r.h.t.Fatalf("GitHub delivered nothing: %v", err)
	}
	last := deliveries[len(deliveries)-1]
	if last.Err != nil {
		r.h.t.Fatal(last.Err)
	}
	return last
}

// deployURL is the address of the API with the user's credentials in it.
func (s *server) deployURL() string {
	u, err := url.Parse(s.api)
	if err != nil {
		s.t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.JoinPath("/1/deploy").String()
}

// answered returns the answer to a delivery of the stand-in.
func answered(d sim.Delivery) answer {
	provoked.note(d.Status, string(d.Body))
	return answer{d.Status, d.Response, string(d.Body)}
}
