package cluster_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// link is a way to the API server that a test can cut, for one runner alone.
type link struct {
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	isCut bool
	conns map[net.Conn]bool
}

// newLink returns a way to the API server.
func newLink(t *testing.T) *link {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, conns: map[net.Conn]bool{}}
	l.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			l.running.Go(func() { l.pass(conn) })
		}
	})
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		l.cut()
		l.running.Wait()
	})
	return l
}

// pass connects a client with the API server.
func (l *link) pass(client net.Conn) {
	defer client.Close()                                                                                                //nolint:errcheck // it may be closed
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", strings.TrimPrefix(shared.API, "https://")) //nolint:usetesting // it ends with the link
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // it may be closed
	l.mu.Lock()
	if l.isCut {
		l.mu.Unlock()
		return
	}
	l.conns[client], l.conns[server] = true, true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, client)
		delete(l.conns, server)
	}()
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		both.Go(func() {
			_, _ = io.Copy(to, from)
			_ = to.Close() // ends the other one
		})
	}
	both.Wait()
}

// cut closes all connections, and those that come from then on.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	for conn := range l.conns {
		_ = conn.Close() // it may be closed
	}
}

// mend lets connections pass again.
func (l *link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = false
}

// through has a runner with these settings reach the API server through the link.
func (l *link) through(t *testing.T, o kubernetes.Options) kubernetes.Options {
	t.Helper()
	text, err := os.ReadFile(o.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	direct := `server: "` + shared.API + `"`
	if !strings.Contains(string(text), direct) {
		t.Fatalf("the kubeconfig does not have %s:\n%s", direct, text)
	}
	changed := strings.ReplaceAll(string(text), direct, `server: "https://`+l.listener.Addr().String()+`", tls-server-name: "`+shared.Host+`"`)
	o.Kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(o.Kubeconfig, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// serveAt serves HTTP at an address until the test ends, and returns its URL.
func serveAt(t *testing.T, address string, handler http.HandlerFunc) (url string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close() // in its place
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// An API server that is away for more than a minute while the drone of a new version is
// starting, which is longer than a drone may take to get ready, ends neither the app nor
// the rollout.
func TestAPIAwayForAMinute(t *testing.T) {
	t.Parallel()
	api := newLink(t)
	o := api.through(t, options(t, namespace(t), toolsImage(t)))
	o.ReadyTimeout = time.Minute
	r := start(t, o)
	run(t, r, version(t, "1", answers("one")))
	// The drone of the second version asks when it may listen.
	started, listen := make(chan struct{}), make(chan struct{})
	var once sync.Once
	asked := serveAt(t, freeAddress(), func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(started) })
		select {
		case <-listen:
		case <-r.Context().Done():
		}
	})
	v := version(t, "2", `
const server = require('http').createServer((req, res) => res.end('two'));
require('http').get('`+asked+`', () => server.listen(process.env.PORT));`)
	launched := make(chan error, 1)
	go func() {
		c, err := r.Launch(t.Context(), v)
		if err == nil {
			if err = c.Watch(t.Context(), time.Second); err == nil {
				c.Commit(0)
			} else {
				c.Abort()
			}
		}
		launched <- err
	}()
	select {
	case <-started:
	case err := <-launched:
		t.Fatalf("the rollout has ended: %v", err)
	}
	api.cut()
	t.Cleanup(api.mend) // before the runner halts the app
	close(listen)
	for end := time.Now().Add(o.ReadyTimeout + 10*time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got := request(t.Context(), r); got != "one" {
			t.Fatalf("without an API server the app answers %q", got)
		}
		if s := r.State("me", "app"); s.Phase != runner.Started || s.Drones != 1 {
			t.Fatalf("without an API server the state is %+v", s)
		}
		select {
		case err := <-launched:
			t.Fatalf("the rollout has ended without an API server: %v", err)
		default:
		}
	}
	api.mend()
	if err := <-launched; err != nil {
		t.Fatal(err)
	}
	if got := request(t.Context(), r); got != "two" {
		t.Errorf("in the end the app answers %q", got)
	}
}

// What the platform decides while the API server is away counts for its own router at
// once, and for the Service when it is back.
func TestPromoteWithoutAPI(t *testing.T) {
	t.Parallel()
	api := newLink(t)
	o := api.through(t, options(t, namespace(t), toolsImage(t)))
	r := start(t, o)
	run(t, r, version(t, "1", answers("one")))
	c, err := r.Launch(t.Context(), version(t, "2", answers("two")))
	if err != nil {
		t.Fatal(err)
	}
	api.cut()
	t.Cleanup(api.mend) // before the runner halts the app
	c.Promote()
	if got := request(t.Context(), r); got != "two" {
		t.Errorf("the app answers %q", got)
	}
	c.Abort()
	if got := request(t.Context(), r); got != "one" {
		t.Errorf("the app answers %q", got)
	}
	api.mend()
	launch := func(of string) string {
		return kubectl(t, "", "-n", o.Namespace, "get", "deployments", "-l", "app.kubernetes.io/version="+of, "-o", "jsonpath={.items[*].metadata.labels.webhooks\\.nodejitsu\\.com/launch}")
	}
	await(t, "the end of the version that was taken back", func() bool { return launch("2") == "" })
	if got, want := kubectl(t, "", "-n", o.Namespace, "get", "service", "me-app", "-o", "jsonpath={.spec.selector.webhooks\\.nodejitsu\\.com/launch}"), launch("1"); got != want {
		t.Errorf("the Service selects %q, want %q", got, want)
	}
}
