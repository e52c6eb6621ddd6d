package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// flawed is a proxy for a platform that a test can make fail.
type flawed struct {
	*httptest.Server
	mu        sync.Mutex
	obstacles []obstacle
}

// obstacle answers n requests of a method whose path contains part.
type obstacle struct {
	method, part string
	n            int
	status       int // 0: they get no answer
	body         string
}

// flawedPlatform returns a proxy for the embedded platform of another server, and
// the flags of a server that uses it.
func flawedPlatform(t *testing.T, behind *server) (p *flawed, flags []string) {
	t.Helper()
	to, err := url.Parse(behind.platform)
	if err != nil {
		t.Fatal(err)
	}
	p = &flawed{}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Del("Accept-Encoding")
	}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o, met := p.meets(r)
		if !met {
			proxy.ServeHTTP(w, r)
			return
		}
		if o.status == 0 {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(o.status)
		_, _ = io.WriteString(w, o.body)
	}))
	t.Cleanup(p.Close)
	return p, []string{"--platform-url", p.URL, "--platform-key-file", filepath.Join(behind.data, "platform", "platform.key")}
}

func (p *flawed) put(obstacles ...obstacle) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.obstacles = obstacles
}

func (p *flawed) meets(r *http.Request) (obstacle, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.obstacles {
		o := &p.obstacles[i]
		if o.n > 0 && o.method == r.Method && strings.Contains(r.URL.Path, o.part) {
			o.n--
			return *o, true
		}
	}
	return obstacle{}, false
}

// left reports whether one of the obstacles was met less than n times.
func (p *flawed) left() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.obstacles {
		if o.n > 0 {
			return true
		}
	}
	return false
}

// always is more requests than a test makes.
const always = 1000

// The accounts can not be reached, or give an invalid answer.
func TestAuthenticationFailures(t *testing.T) {
	t.Parallel()
	behind := serve(t)
	p, flags := flawedPlatform(t, behind)
	h := github(t)
	h.AddUser(user, "ghp_of_the_test", []string{"repo"})
	s := run(t, "serve", 1, h.flags(flags...)...)
	impatient := run(t, "serve", 1, h.flags(append(flags, "--auth-timeout", "3s")...)...)
	ping := request{path: "/1/deploy", body: `{"zen":"x","hook_id":1}`, header: event("ping")}
	pair := request{path: "/1/auth/github", body: `{"credentials":"dscape:ghp_of_the_test"}`}
	if got := s.send(ping); got.status != 200 {
		t.Fatalf("without an obstacle: %d %s", got.status, got.body)
	}
	down := obstacle{"GET", "/auth", always, 503, `{"error":"maintenance"}`}
	broken := obstacle{"GET", "/auth", always, 200, `<html>`}
	hung := obstacle{"GET", "/auth", always, 0, ""}
	nameless := obstacle{"GET", "/auth", always, 200, `{"authorized":true,"user":{"email":"x@example.com"}}`}
	for name, test := range map[string]struct {
		obstacle
		request
		status int
		code   string
	}{
		"down, deploy":             {down, ping, 500, "mw:auth:auth_server_down"},
		"hung, deploy":             {hung, ping, 503, "mw:auth:auth_server_down"},
		"secrets hung, deploy":     {obstacle{"GET", "/thirdparty", always, 0, ""}, ping, 503, "mw:auth:auth_server_down"},
		"down, list":               {down, request{path: "/1/status/dscape/webhooks"}, 500, "mw:auth:auth_server_down"},
		"down, changes":            {down, request{path: "/1/status/dscape/changes"}, 500, "mw:auth:auth_server_down"},
		"down, entry":              {down, request{path: "/1/status/dscape/changes/" + strings.Repeat("0", 32)}, 500, "mw:auth:auth_server_down"},
		"down, pair":               {down, pair, 500, "mw:auth:auth_server_down"},
		"broken, list":             {broken, request{path: "/1/status/dscape/webhooks"}, 500, "mw:auth:auth_server_down"},
		"nameless, deploy":         {nameless, ping, 401, "mw:auth:no_username"},
		"nameless, list":           {nameless, request{path: "/1/status/dscape/webhooks"}, 401, "mw:auth:no_username"},
		"nameless, changes":        {nameless, request{path: "/1/status/dscape/changes"}, 401, "mw:auth:no_username"},
		"nameless, pair":           {nameless, pair, 401, "mw:auth:no_username"},
		"secrets not read, deploy": {obstacle{"GET", "/thirdparty", always, 503, ""}, ping, 500, "mw:auth:auth_server_down"},
		"user not read, pair":      {obstacle{"GET", "/thirdparty", always, 403, `{"error":"forbidden"}`}, pair, 500, "auth:github:get_user_failed"},
		"user not written, pair":   {obstacle{"POST", "/thirdparty", always, 503, ""}, pair, 500, "auth:github:update_user_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			// A user that the server does not know yet: what it knows is cached.
			username := "user-" + strings.NewReplacer(" ", "-", ",", "").Replace(name)
			behind.run(password+"\n", "users", "add", username, "--new-password-file", "-", "--data", behind.data)
			r := test.request
			r.path, r.credentials = strings.ReplaceAll(r.path, user, username), username+":"+password
			p.put(test.obstacle)
			to := s
			if test.obstacle.status == 0 {
				to = impatient
			}
			to.send(r).failure(t, test.status, test.code)
			p.put()
		})
	}
	if got := s.send(pair); got.status != 200 {
		t.Errorf("without an obstacle: %d %s", got.status, got.body)
	}
	if log := s.stderr(); strings.Contains(log, "ghp_of_the_test") || strings.Contains(log, password) {
		t.Error("a credential is in the log")
	}
}

// Temporary failures of the platform are retried. Others fail the deployment with
// the code of the step and the platform's message.
func TestPlatformFailures(t *testing.T) {
	t.Parallel()
	behind := serve(t)
	p, flags := flawedPlatform(t, behind)
	h := github(t)
	s := run(t, "serve", 1, h.flags(append(flags, "--retry-delays", "10ms,20ms")...)...)
	for name, test := range map[string]struct {
		obstacle
		status int
		code   string // "": it is temporary
		detail string
	}{
		"passes-create":  {obstacle{"GET", "/apps/dscape/passes-create", 2, 502, ""}, 200, "", ""},
		"passes-upload":  {obstacle{"POST", "/snapshots/", 2, 503, ""}, 200, "", ""},
		"passes-start":   {obstacle{"POST", "/start", 1, 500, ""}, 200, "", ""},
		"stays-create":   {obstacle{"POST", "/apps/dscape/stays-create", always, 409, `{"error":"taken","message":"the subdomain is another user's"}`}, 500, "deploy:nodejitsu:start_app", "another user's"},
		"stays-upload":   {obstacle{"POST", "/snapshots/", always, 503, ""}, 502, "deploy:nodejitsu:upload_tarball", "503"},
		"refuses-upload": {obstacle{"POST", "/snapshots/", always, 400, `{"error":"bad","message":"no such engine"}`}, 502, "deploy:nodejitsu:upload_tarball", "no such engine"},
		"refuses-start":  {obstacle{"POST", "/start", always, 500, `{"error":"start","message":"it did not listen"}`}, 500, "deploy:nodejitsu:start_app", "it did not listen"},
	} {
		t.Run(name, func(t *testing.T) {
			repo := h.repository(name)
			commit := repo.commit("first", map[string]string{"package.json": packageJSON(name), "index.js": node(name)})
			p.put(test.obstacle)
			got := s.send(repo.delivery(t, commit, "", nil))
			if test.code == "" {
				if got.change(t, 200, "ok"); p.left() {
					t.Error("the platform got fewer requests")
				}
				if app := behind.app(name + ".localhost"); app.body != name {
					t.Errorf("the app answers %d %s", app.status, app.body)
				}
				return
			}
			doc := s.entry(got.failure(t, test.status, test.code))
			failure, _ := doc["error"].(map[string]any)
			if detail, _ := failure["detail"].(string); !strings.Contains(detail, test.detail) {
				t.Errorf("got detail %q, want one with %q", detail, test.detail)
			}
		})
	}
	// The accounts fail during a deployment, after it was accepted.
	repo := h.repository("no-keys")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("no-keys"), "index.js": node("x")})
	p.put()
	arrived, release := h.Hold(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/no-keys/contents/") })
	h.Fail(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/no-keys/contents/") }, 1, 502, nil)
	id, _ := s.send(repo.delivery(t, commit, "", async())).change(t, 202, "pending")["id"].(string)
	<-arrived
	p.put(obstacle{"GET", "/thirdparty", always, 503, ""})
	release()
	if failed := s.outcome(id, "error"); failed["error"] != "mw:auth:auth_server_down" {
		t.Errorf("got %v", failed)
	}
}
