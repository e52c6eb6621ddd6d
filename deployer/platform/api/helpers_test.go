package api_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
	"github.com/nodejitsu/webhooks/deployer/platform/api"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/events"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
)

// Callers, as username:password. The API token of me is fixture.token.
const (
	me       = "me:my password"
	you      = "you:your password"
	operator = core.ServiceUser + ":the key"
)

// patience is how long a test waits for an event. Only a hang takes so long, even
// on a busy machine.
const patience = 10 * time.Minute

// fixture is an API under test, with real parts except the builder.
type fixture struct {
	t       *testing.T
	api     *api.API
	server  *httptest.Server
	builder *builder
	runner  *processes.Runner
	token   string // me:TOKEN
	log     *text  // log of the API
	end     context.CancelFunc
}

// setup returns a fixture with the users me and you. configure may change the
// server before it listens.
func setup(t *testing.T, configure ...func(*http.Server)) *fixture {
	t.Helper()
	dir := t.TempDir()
	db, err := bbolt.Open(filepath.Join(dir, "db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	keys, err := seal.Parse(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	users, err := accounts.New(accounts.Options{DB: db, Seal: keys, ServiceUser: core.ServiceUser, Key: core.NewSecret("the key")})
	if err != nil {
		t.Fatal(err)
	}
	supervisor := processes.New(processes.Options{Dir: filepath.Join(dir, "drones"), SameUser: true, ReadyTimeout: patience})
	b := &fixture{t: t, builder: &builder{t: t}, runner: supervisor, log: &text{}}
	store := snapshots.New(snapshots.Options{
		Dir: filepath.Join(dir, "archives"), Builds: filepath.Join(dir, "builds"), Builder: b.builder,
	})
	if err := store.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := supervisor.Stop(context.Background()); err != nil { //nolint:usetesting // the context of the test has ended
			t.Error(err)
		}
	})
	all, err := apps.New(apps.Options{
		DB: db, Seal: keys, Snapshots: store, Runner: supervisor,
		URL: func(subdomain string) string { return "http://" + subdomain + ".localhost" },
	})
	if err != nil {
		t.Fatal(err)
	}
	journal, err := events.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	b.api = api.New(api.Options{Accounts: users, Apps: all, Events: journal, Logger: slog.New(slog.NewTextHandler(b.log, nil))})
	b.serve(configure...)
	b.must(http.StatusCreated, operator, "POST /users/me", `{"password":"my password","email":"me@example.org"}`)
	b.must(http.StatusCreated, operator, "POST /users/you", `{"password":"your password"}`)
	created := b.must(http.StatusCreated, me, "PUT /users/me/tokens/ci", "")
	b.token = "me:" + created.object()["ci"].(string)
	return b
}

func (b *fixture) serve(configure ...func(*http.Server)) {
	b.server = httptest.NewUnstartedServer(noting(b.api))
	var base context.Context
	base, b.end = context.WithCancel(b.t.Context())
	b.server.Config.BaseContext = func(net.Listener) context.Context { return base }
	for _, c := range configure {
		c(b.server.Config)
	}
	b.server.Start()
	b.t.Cleanup(func() {
		b.end()
		b.server.Close()
	})
}

// builder fakes package builds: each test sets what a build does.
type builder struct {
	t *testing.T

	mu sync.Mutex
	do func(ctx context.Context, out io.Writer) error // nil: succeeds without output
	js string                                         // the app's server.js
}

func (b *builder) will(do func(ctx context.Context, out io.Writer) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.do = do
}

// Sweep does nothing.
func (*builder) Sweep([]string) error { return nil }

// Build writes the folder of an app that can run.
func (b *builder) Build(ctx context.Context, s builds.Snapshot, out io.Writer) (builds.Result, error) {
	b.mu.Lock()
	do, js := b.do, b.js
	b.mu.Unlock()
	if do != nil {
		if err := do(ctx, out); err != nil {
			return builds.Result{}, err
		}
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return builds.Result{}, err
	}
	if js == "" {
		js = `require('http').createServer((_, res) => res.end('hello')).listen(process.env.PORT)`
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return builds.Result{}, err
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "server.js"), []byte(js), 0o600); err != nil {
		return builds.Result{}, err
	}
	return builds.Result{Dir: s.Dir, Node: node, NodeVersion: "20.0.0", Web: "node server.js"}, nil
}

// text is a buffer that is safe for concurrent use.
type text struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *text) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// answer is a complete response.
type answer struct {
	t      *testing.T
	call   string
	status int
	header http.Header
	body   string
	*http.Response
}

// call makes a call, "METHOD /path", with a username:password, "" for none.
func (b *fixture) call(who, call, body string) answer {
	b.t.Helper()
	resp, err := b.open(who, call, strings.NewReader(body))
	if err != nil {
		b.t.Fatalf("%s: %v", call, err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatalf("%s: truncated response: %v", call, err)
	}
	a := answer{t: b.t, call: call, status: resp.StatusCode, header: resp.Header, body: string(content), Response: resp}
	a.check()
	return a
}

// open makes a call. The caller reads the body.
func (b *fixture) open(who, call string, body io.Reader) (*http.Response, error) {
	b.t.Helper()
	method, path, _ := strings.Cut(call, " ")
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	b.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, b.server.URL+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if username, password, ok := strings.Cut(who, ":"); ok {
		req.SetBasicAuth(username, password)
	}
	return b.server.Client().Do(req)
}

// must makes a call and requires that status.
func (b *fixture) must(status int, who, call, body string) answer {
	b.t.Helper()
	a := b.call(who, call, body)
	if a.status != status {
		b.t.Fatalf("%s: status %d, want %d: %s", call, a.status, status, a.body)
	}
	return a
}

// refused makes a call that must fail with that status and name.
func (b *fixture) refused(status int, name, who, call, body string) answer {
	b.t.Helper()
	a := b.call(who, call, body)
	if got := a.object()["error"]; a.status != status || got != name {
		b.t.Errorf("%s: %d %v, want %d %s: %.300s", call, a.status, got, status, name, a.body)
	}
	return a
}

// check verifies what every response must have.
func (a answer) check() {
	a.t.Helper()
	for name, want := range map[string]string{
		"X-Powered-By": "Nodejitsu/webhooks", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
	} {
		if got := a.header.Get(name); got != want {
			a.t.Errorf("%s: header %s is %q, want %q", a.call, name, got, want)
		}
	}
	if a.status < 300 {
		return
	}
	if got := a.header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		a.t.Errorf("%s: status %d has the type %q", a.call, a.status, got)
	}
	if a.Request.Method == http.MethodHead {
		return
	}
	object := a.object()
	for _, field := range []string{"error", "message", "code"} {
		if said, _ := object[field].(string); said == "" {
			a.t.Errorf("%s: status %d has no %s: %s", a.call, a.status, field, a.body)
		}
	}
	fields := 3
	if a.status == http.StatusNotImplemented && strings.HasPrefix(a.Request.URL.Path, "/databases") {
		fields = 5 // with the fields that the published clients read for any status
	}
	if len(object) != fields {
		a.t.Errorf("%s: status %d has unexpected fields: %s", a.call, a.status, a.body)
	}
	if got := a.header.Get("WWW-Authenticate"); (got == `Basic realm="Nodejitsu"`) != (a.status == http.StatusUnauthorized) {
		a.t.Errorf("%s: status %d with WWW-Authenticate %q", a.call, a.status, got)
	}
}

// object returns the body as an object.
func (a answer) object() map[string]any {
	a.t.Helper()
	var object map[string]any
	a.decode(&object)
	return object
}

func (a answer) decode(into any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		a.t.Fatalf("%s: status %d: %v in %.300q", a.call, a.status, err, a.body)
	}
}

// app creates the app me/NAME.
func (b *fixture) app(name string) {
	b.t.Helper()
	b.must(http.StatusCreated, me, "POST /apps/me/"+name, "{}")
}
