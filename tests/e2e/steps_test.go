package e2e

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// checkpoints are on the ways from a server to those that it talks to: one
// before each request, and one after it was carried out but before the server
// learns of that. A test stops at one of them.
type checkpoints struct {
	t *testing.T

	mu      sync.Mutex
	left    int           // checkpoints to pass before the one to stop at
	reached chan string   // says which it is; nil: stop nowhere
	goOn    chan struct{} // closed to let it go on
}

// arm makes the nth checkpoint from now on, from 0, the one to stop at.
func (c *checkpoints) arm(n int) (reached <-chan string, release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, goOn := make(chan string, 1), make(chan struct{})
	c.left, c.reached, c.goOn = n, at, goOn
	return at, sync.OnceFunc(func() { close(goOn) })
}

// pass returns at once, or where it is the one to stop at when it is released.
func (c *checkpoints) pass(name string) {
	c.mu.Lock()
	stop, goOn := c.reached, c.goOn
	if stop != nil {
		if c.left--; c.left >= 0 {
			stop = nil
		} else {
			c.reached = nil
		}
	}
	c.mu.Unlock()
	if stop != nil {
		stop <- name
		<-goOn
	}
}

// to returns a way to an address that leads through checkpoints.
func (c *checkpoints) to(name, addr string) *httptest.Server {
	return way(c.t, addr,
		func(r *http.Request) { c.pass("before " + name + " " + r.Method + " " + r.URL.Path) },
		func(r *http.Request, _ *http.Response) { c.pass("after " + name + " " + r.Method + " " + r.URL.Path) })
}

// ends returns a channel that is closed with the outcome of a commit's entry,
// or with the server.
func (s *server) ends(commit string) <-chan struct{} {
	s.t.Helper()
	feed := s.open(s.t.Context(), request{path: "/1/status/" + user + "/changes?since=0&status=ok,error,skipped"})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer feed.Body.Close() //nolint:errcheck // only read
		for lines := bufio.NewScanner(feed.Body); lines.Scan() && !strings.Contains(lines.Text(), commit); {
		}
	}()
	return ended
}

// Killed before and after each thing that a delivery and its deployment ask of
// GitHub and of the platform, the server ends it after the restart, once.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	h := github(t)
	h.AddUser(user, "ghp_of_the_test", []string{"repo", "repo_deployment"})
	platform := run(t, "platform", 2)
	platform.run(password+"\n", "users", "add", user, "--password-stdin", "--data", platform.data)
	c := &checkpoints{t: t}
	h.SetArchiveHost(addressOf(c.to("archives", h.ArchiveHost()).URL))
	s := &sender{t: t, accepted: map[string]string{}}
	s.server = run(t, "serve", 1,
		"--github-url", c.to("GitHub", addressOf(h.URL())).URL+"/", "--github-archive-hosts", h.ArchiveHost(),
		"--platform-url", c.to("platform", addressOf(platform.platform)).URL,
		"--platform-key-file", filepath.Join(platform.data, "platform", "platform.key"),
		"--base-url", "https://hooks.example.com")
	if got := s.server.send(request{path: "/1/auth/github", body: `{"credentials":"` + user + `:ghp_of_the_test"}`}); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	var killed []string
	for step := 0; ; step++ {
		name := "step-" + strconv.Itoa(step)
		repo := h.repository(name)
		commit := repo.commit("first", map[string]string{"package.json": packageJSON(name), "index.js": node(name)})
		ended := s.server.ends(commit) // before arm, as it asks for something itself
		reached, release := c.arm(step)
		accepted := make(chan error, 1)
		go func() { accepted <- s.deliver(repo.delivery(t, commit, "", async()), name) }()
		at := ""
		select {
		case at = <-reached: // before it was accepted, or while the answer is on its way
			s.restart()
			release()
			if err := <-accepted; err != nil {
				t.Fatal(err)
			}
		case err := <-accepted:
			if err != nil {
				t.Fatal(err)
			}
			select {
			case at = <-reached:
				s.restart()
			case <-ended:
			}
			release()
		}
		doc, _ := s.server.outcome(s.accepted[name], "ok")["doc"].(map[string]any)
		// What accepting asks for is nobody's attempt yet; the tokens are asked
		// for by both.
		lost := doc["lost"] == float64(1)
		known := at != "" && !strings.HasSuffix(at, "/thirdparty")
		if doc["failures"] != float64(0) || known && lost != !strings.HasSuffix(at, "GET /auth") || !lost && doc["lost"] != float64(0) {
			t.Errorf("killed %s: got %v failures, lost %v times", at, doc["failures"], doc["lost"])
		}
		if app := platform.app(name + ".localhost"); app.body != name {
			t.Errorf("killed %s: the app answers %d %s", at, app.status, app.body)
		}
		if at == "" {
			break // it asks for no more than that
		}
		killed = append(killed, at)
	}
	all := strings.Join(killed, "\n")
	t.Logf("killed\n%s", all)
	for _, what := range []string{
		"GitHub GET .*/contents/.travis.yml", "GitHub GET .*/contents/package.json", "GitHub GET .*/tarball/.*", "archives GET .*",
		"platform GET /auth", "platform POST /apps/.*/snapshots/[^/]*", "platform POST .*/activate", "platform POST .*/start",
		"GitHub POST .*/statuses/.*",
	} {
		for _, when := range []string{"before", "after"} {
			if !regexp.MustCompile("(?m)^" + when + " " + what + "$").MatchString(all) {
				t.Errorf("it was never killed %s %s", when, what)
			}
		}
	}
}
