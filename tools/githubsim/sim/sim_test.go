package sim_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/github"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// bench is a started Server with one repository and a clone to push from.
type bench struct {
	*sim.Server
	t      *testing.T
	gitDir string
	clone  string
}

func start(t *testing.T, options sim.Options) *sim.Server {
	t.Helper()
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	server := sim.New(options)
	if err := server.Start(t.Context(), "127.0.0.1:0", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return server
}

func newBench(t *testing.T, options sim.Options, private bool) *bench {
	t.Helper()
	b := &bench{Server: start(t, options), t: t, clone: t.TempDir()}
	var err error
	if b.gitDir, err = b.CreateRepository(t.Context(), "octo", "hello", private); err != nil {
		t.Fatal(err)
	}
	b.git("init", "--quiet", "--initial-branch=main")
	b.git("remote", "add", "origin", b.gitDir)
	return b
}

// git runs git in the clone and returns what it printed.
func (b *bench) git(args ...string) string {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), "git", args...)
	cmd.Dir = b.clone
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Bob", "GIT_COMMITTER_EMAIL=bob@example.com",
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files, commits them and returns the commit's id.
func (b *bench) commit(message string, files map[string]string) string {
	b.t.Helper()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(b.clone, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[name]), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	b.git("add", "--all")
	b.git("commit", "--quiet", "--allow-empty", "-m", message)
	return b.git("rev-parse", "HEAD")
}

func (b *bench) push(refs ...string) {
	b.t.Helper()
	b.git(append([]string{"push", "--quiet", "--force", "origin"}, refs...)...)
}

// client returns the adapter that reads from GitHub, pointed at the Server.
func (b *bench) client() *github.Client {
	b.t.Helper()
	client, err := github.New(github.Options{BaseURL: b.URL(), ArchiveHosts: []string{b.ArchiveHost()}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(client.Close)
	return client
}

func hello() core.Repository { return core.Repository{Owner: "octo", Name: "hello"} }

// get asks the API and returns status, headers and body.
func (b *bench) get(path, token, accept string) (int, http.Header, string) {
	b.t.Helper()
	return do(b.t, http.MethodGet, strings.TrimSuffix(b.URL(), "/")+path, token, accept, "")
}

func do(t *testing.T, method, to, token, accept, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// receiver is where webhooks go.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got []received
}

type received struct {
	header http.Header
	user   string
	pass   string
	body   string
}

func newReceiver(t *testing.T, handler http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		one := received{header: req.Header.Clone(), body: string(body)}
		one.user, one.pass, _ = req.BasicAuth()
		r.mu.Lock()
		r.got = append(r.got, one)
		r.mu.Unlock()
		if handler != nil {
			handler(w, req)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
