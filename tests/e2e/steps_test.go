package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
)

// checkpoints are on the ways from a server to those that it calls: one before
// each request, and one after the request was carried out but before the server
// learns of that. A test stops at one of them.
type checkpoints struct {
	t *testing.T

	mu      sync.Mutex
	stop    *regexp.Regexp // the name of the one to stop at; nil: none
	reached chan struct{}  // closed there
	release chan struct{}  // closed to let it go on
}

// arm makes the next checkpoint whose whole name matches the one to stop at.
func (c *checkpoints) arm(name string) (reached <-chan struct{}, release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop = regexp.MustCompile("^" + name + "$")
	at, goOn := make(chan struct{}), make(chan struct{})
	c.reached, c.release = at, goOn
	return at, sync.OnceFunc(func() { close(goOn) })
}

// pass returns at once, or when it is released if it is the one to stop at.
func (c *checkpoints) pass(name string) {
	c.mu.Lock()
	if c.stop == nil || !c.stop.MatchString(name) {
		c.mu.Unlock()
		return
	}
	c.stop = nil
	reached, release := c.reached, c.release
	c.mu.Unlock()
	close(reached)
	<-release
}

// to returns a way to an address that leads through checkpoints.
func (c *checkpoints) to(name, addr string) *httptest.Server {
	return c.toURL(name, "http://"+addr, nil)
}

// toURL is to for a URL, by a transport.
func (c *checkpoints) toURL(name, to string, transport http.RoundTripper) *httptest.Server {
	at, err := url.Parse(to)
	if err != nil {
		c.t.Fatal(err)
	}
	return wayBy(c.t, at, transport,
		func(r *http.Request) { c.pass("before " + name + " " + r.Method + " " + r.URL.Path) },
		func(r *http.Request, _ *http.Response) { c.pass("after " + name + " " + r.Method + " " + r.URL.Path) })
}

// A server that is killed before or after any call that a delivery and its
// deployment make completes the deployment after its restart, once.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	h := github(t)
	h.AddUser(user, "ghp_of_the_test", []string{"repo", "repo_deployment"})
	platform := run(t, "platform", 2)
	platform.run(password+"\n", "users", "add", user, "--new-password-file", "-", "--data", platform.data)
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
	for _, call := range []struct {
		name   string // for the app
		match  string
		accept bool // the call is made to accept the delivery, before the first attempt
	}{
		{"auth", "platform GET /auth", true},
		{"gate", "GitHub GET .*/contents/.travis.yml", false},
		{"package", "GitHub GET .*/contents/package.json", false},
		{"pending", "GitHub POST .*/statuses/.*", false},
		{"tarball", "GitHub GET .*/tarball/.*", false},
		{"archive", "archives GET .*", false},
		{"upload", "platform POST /apps/.*/snapshots/[^/]*", false},
		{"start", "platform POST .*/start", false},
	} {
		for _, when := range []string{"before", "after"} {
			t.Run(when+" "+call.match, func(t *testing.T) {
				name := call.name + "-" + when
				repo := h.repository(name)
				commit := repo.commit("first", map[string]string{"package.json": packageJSON(name), "index.js": node(name)})
				if call.accept {
					s.restart() // credentials that the server knows are cached
				}
				reached, release := c.arm(when + " " + call.match)
				defer release()
				accepted := make(chan error, 1)
				go func() { accepted <- s.deliver(repo.delivery(t, commit, "", async()), name) }()
				next(t, "the call", reached)
				s.restart()
				release()
				if err := next(t, "the answer to the delivery", accepted); err != nil {
					t.Fatal(err)
				}
				doc, _ := s.server.outcome(s.accepted[name], "ok")["doc"].(map[string]any)
				lost := 1.0 // attempts
				if call.accept {
					lost = 0
				}
				if doc["failures"] != 0.0 || doc["lost"] != lost {
					t.Errorf("got %v failures and %v lost attempts, want none and %v", doc["failures"], doc["lost"], lost)
				}
				if app := platform.app(name + ".localhost"); app.body != name {
					t.Errorf("the app answers %d %s", app.status, app.body)
				}
			})
		}
	}
}
