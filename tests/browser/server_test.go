package browser

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

const (
	user     = "dscape"
	password = "correct horse"
)

// server is a running `webhooks serve` with a stand-in for GitHub.
type server struct {
	t      *testing.T
	github *sim.Server
	url    string // of the API and the dashboard
	apps   string // where the apps are reached, by the header Host

	mu  sync.Mutex
	log bytes.Buffer
}

// serve starts the program on a fresh data folder and adds the user.
func serve(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, github: sim.New(sim.Options{Dir: filepath.Join(t.TempDir(), "github"), DeliveryTimeout: patience})}
	if err := s.github.Start(t.Context(), "127.0.0.1:0", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.github.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	// Not t.TempDir: the users of apps need access to it.
	dir, err := os.MkdirTemp("", "webhooks-browser-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "serve", "--data", data,
		"--listen", "127.0.0.1:0", "--platform-listen", "127.0.0.1:0", "--apps-listen", "127.0.0.1:0",
		"--github-url", s.github.URL(), "--github-archive-hosts", s.github.ArchiveHost(), "--travis-url", "http://127.0.0.1:1",
		"--wait", "0s", "--auth-timeout", patience.String(), "--ready-timeout", patience.String(), "--min-ready-time", "100ms")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = (*serverLog)(s)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(patience):
			t.Error("the server did not stop after SIGTERM")
			_ = cmd.Process.Kill()
			<-exited
		}
		if strings.Contains(s.stderr(), "WARNING: DATA RACE") {
			t.Error("the race detector reports a race in the server")
		}
		if err := errors.Join(leftovers.Kill(dir), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.stderr())
		}
	})
	announced := make(chan map[string]string, 1)
	go func() {
		found := map[string]string{}
		lines := bufio.NewScanner(stdout)
		for len(found) < 3 && lines.Scan() {
			name, address, _ := strings.Cut(lines.Text(), " ")
			found[name] = strings.TrimSpace(address)
		}
		announced <- found
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait()
		close(exited)
	}()
	select {
	case found := <-announced:
		s.url = found["webhooks"]
		s.apps = "http://127.0.0.1" + found["apps"][strings.LastIndexByte(found["apps"], ':'):]
	case <-exited:
		t.Fatalf("the server did not start:\n%s", s.stderr())
	case <-time.After(patience):
		t.Fatalf("the server did not print its address:\n%s", s.stderr())
	}
	add := exec.CommandContext(t.Context(), program, "users", "add", user, "--new-password-file", "-", "--data", data)
	add.Stdin = strings.NewReader(password + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("adding the user: %v\n%s", err, out)
	}
	return s
}

// serverLog collects what the process writes to stderr.
type serverLog server

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

func (s *server) stderr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// repository is a working copy and what it is pushed to.
type repository struct {
	s                  *server
	name, work, remote string
}

// repository creates a repository with a webhook that sends Basic auth.
func (s *server) repository(name string) *repository {
	s.t.Helper()
	hook, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	hook.User = url.UserPassword(user, password)
	return s.repositoryFor(name, hook.JoinPath("/1/deploy").String(), sim.HookOptions{ContentType: "json"})
}

// repositoryFor creates a repository with a webhook.
func (s *server) repositoryFor(name, hook string, o sim.HookOptions) *repository {
	s.t.Helper()
	remote, err := s.github.CreateRepository(s.t.Context(), user, name, false)
	if err != nil {
		s.t.Fatal(err)
	}
	r := &repository{s: s, name: name, work: s.t.TempDir(), remote: remote}
	r.git("init", "--quiet", "--initial-branch", "main")
	ping, err := s.github.Hook(s.t.Context(), user, name, hook, o)
	if err != nil || ping.Status != http.StatusOK {
		s.t.Fatalf("the ping: %d %s, %v", ping.Status, ping.Body, err)
	}
	return r
}

// get returns what an app answers.
func (s *server) get(address string) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.apps, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host = u.Host
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (r *repository) git(args ...string) {
	r.s.t.Helper()
	cmd := exec.CommandContext(r.s.t.Context(), "git", args...)
	cmd.Dir = r.work
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=Nuno Job", "GIT_AUTHOR_EMAIL=nuno@example.com", "GIT_COMMITTER_NAME=Nuno Job", "GIT_COMMITTER_EMAIL=nuno@example.com")
	if out, err := cmd.CombinedOutput(); err != nil {
		r.s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// push writes files, commits and pushes them, and has GitHub deliver the webhook.
func (r *repository) push(message string, files map[string]string) {
	r.s.t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(r.work, name), []byte(content), 0o600); err != nil {
			r.s.t.Fatal(err)
		}
	}
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "--message", message)
	r.git("push", "--quiet", r.remote, "HEAD")
	deliveries, err := r.s.github.Pushed(r.s.t.Context(), user, r.name)
	if err != nil || len(deliveries) == 0 {
		r.s.t.Fatalf("GitHub delivered nothing: %v", err)
	}
}

// node returns an app that answers with a text.
func node(text string) string {
	return `console.log('listening on', process.env.PORT);
require('node:http').createServer((q, r) => { console.log(q.method, q.url); r.end('` + text + `') }).listen(process.env.PORT);
`
}

func packageJSON(name, build string) string {
	return `{"name":"` + name + `","version":"1.0.0","scripts":{"build":"` + build + `","start":"node index.js"}}`
}
