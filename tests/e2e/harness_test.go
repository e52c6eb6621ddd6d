// Package e2e drives the built program from outside: real processes, real
// HTTP, real git repositories behind the GitHub stand-in, real Node.js apps.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/httpapi/client"
	"github.com/nodejitsu/webhooks/tests/internal/built"
)

// program is the built webhooks, made once by TestMain.
var program string //nolint:gochecknoglobals // set once before any test

// patience is how long something may take that must happen. Only what hangs
// takes so long, however busy the machine is.
const patience = 10 * time.Minute

func TestMain(m *testing.M) { os.Exit(leftovers.Run(tests{m})) }

// tests are the tests of this package with what goes before and after all of
// them.
type tests struct{ *testing.M }

func (ts tests) Run() int {
	dir, err := os.MkdirTemp("", "program-")
	if err == nil {
		defer os.RemoveAll(dir) //nolint:errcheck // what is left is reported
		program, err = built.Program(context.Background(), dir)
	}
	if err == nil {
		err = manyAtOnce()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := ts.M.Run()
	if err := endCluster(code != 0); err != nil {
		fmt.Fprintln(os.Stderr, "ending the cluster:", err)
		code = max(code, 1)
	}
	if code == 0 && everythingRan() {
		code = provoked.check(os.Stderr)
	}
	return code
}

// manyAtOnce lets more tests run at a time than there are processors, unless
// the command line sets the number: tests wait far more than they work.
func manyAtOnce() error {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if chosen {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0)))
}

// server is a running `webhooks serve`, or `webhooks platform`.
type server struct {
	t     *testing.T
	role  string // the command
	count int    // of the addresses that it prints
	data  string
	flags []string

	cmd       *exec.Cmd
	exited    chan struct{}
	found     map[string]string // what it has printed: addresses by name
	api       string            // http://host:port
	apps      string            // host:port of the router
	platform  string
	redirects string         // URL of the listener that redirects to TLS
	trust     *x509.CertPool // verifies its certificates; nil: it has no TLS

	mu  sync.Mutex
	log bytes.Buffer // stderr of all its processes
}

const (
	user     = "dscape"
	password = "correct horse"
)

// serve starts the program on a fresh data folder and adds the user.
func serve(t *testing.T, flags ...string) *server {
	t.Helper()
	s := run(t, "serve", 3, flags...)
	s.run(password+"\n", "users", "add", user, "--new-password-file", "-", "--data", s.data)
	return s
}

// run starts the program in a role on a fresh data folder.
func run(t *testing.T, role string, count int, flags ...string) *server {
	t.Helper()
	// Not t.TempDir: the users of apps need access to it.
	dir, err := os.MkdirTemp("", "webhooks-e2e-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, role: role, count: count, data: filepath.Join(dir, "data"), flags: flags}
	t.Cleanup(func() {
		s.stop()
		if strings.Contains(s.stderr(), "WARNING: DATA RACE") {
			t.Error("the race detector reports a race in the server")
		}
		// A server that was killed could not end its apps.
		if err := errors.Join(leftovers.Kill(dir), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.stderr())
		}
	})
	s.start()
	return s
}

// start starts the process, with new ports.
func (s *server) start() {
	s.t.Helper()
	args := append([]string{
		s.role, "--data", s.data, "--listen", "127.0.0.1:0", "--platform-listen", "127.0.0.1:0",
		// Nothing listens there: GitHub and Travis CI themselves must not be asked.
		"--github-url", "http://127.0.0.1:1/", "--travis-url", "http://127.0.0.1:1",
		"--apps-listen", "127.0.0.1:0", "--log-level", "debug",
		// On a busy machine all of it takes longer. A test of one of these limits
		// sets it again.
		"--wait", patience.String(), "--auth-timeout", patience.String(), "--ready-timeout", patience.String(),
		"--min-ready-time", "100ms", // so that tests need not wait for long
	}, s.flags...)
	// It is stopped explicitly, not by the end of the test's context.
	s.cmd = exec.CommandContext(context.WithoutCancel(s.t.Context()), program, args...)
	s.cmd.Env = append(os.Environ(), "WEBHOOKS_E2E_CANARY=server-environment")
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd.Stderr = (*serverLog)(s)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan struct{})
	s.exited = exited
	addresses := make(chan map[string]string, 1)
	go func() {
		found := map[string]string{}
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if name, address, ok := strings.Cut(lines.Text(), " "); ok {
				found[name] = strings.TrimSpace(address)
			}
			if len(found) == s.count {
				addresses <- found
				break
			}
		}
		_, _ = io.Copy(io.Discard, stdout)
		_ = s.cmd.Wait()
		close(exited)
	}()
	select {
	case found := <-addresses:
		s.found = found
		s.api, s.platform, s.redirects = found["webhooks"], found["platform"], found["redirect"]
		if colon := strings.LastIndexByte(found["apps"], ':'); colon >= 0 { // not every role has some
			s.apps = "127.0.0.1" + found["apps"][colon:]
		}
	case <-exited:
		s.t.Fatalf("the server did not start: %v\n%s", s.cmd.ProcessState, s.stderr())
	case <-time.After(patience):
		s.t.Fatalf("the server did not print its addresses within %s:\n%s", patience, s.stderr())
	}
}

// kill kills the process and waits for its end.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// stop stops the process with SIGTERM.
func (s *server) stop() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.t.Errorf("the server did not stop within %s of SIGTERM", patience)
		s.kill()
	}
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

// run runs one command of the program and returns its stdout.
func (s *server) run(stdin string, args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("webhooks %s: %v\n%s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// answer is an HTTP answer, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// json reads the body as one JSON object.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(a.body), &object); err != nil {
		t.Fatalf("the answer is no JSON object: %v\n%d %s", err, a.status, a.body)
	}
	return object
}

// request is a request of a test. Zero fields have defaults.
type request struct {
	method      string // default: GET, or POST if there is a body
	path        string
	body        string
	header      map[string]string
	anonymous   bool
	credentials string // user:password; default: the user's
}

// send sends r and reads the answer.
func (s *server) send(r request) answer {
	s.t.Helper()
	response := s.open(s.t.Context(), r)
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	got := answer{response.StatusCode, response.Header, string(body)}
	if s.role == "serve" {
		contract.check(s, response.Request, got)
	}
	return got
}

// open sends r and leaves the body to the caller.
func (s *server) open(ctx context.Context, r request) *http.Response {
	s.t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
		if r.body != "" {
			r.method = http.MethodPost
		}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, s.api+r.path, strings.NewReader(r.body))
	if err != nil {
		s.t.Fatal(err)
	}
	if r.credentials == "" {
		r.credentials = user + ":" + password
	}
	if !r.anonymous {
		name, pass, _ := strings.Cut(r.credentials, ":")
		req.SetBasicAuth(name, pass)
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	response, err := s.client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	response.Body = provoked.watch(response.StatusCode, response.Body)
	return response
}

// client returns a client for the API.
func (s *server) client() *http.Client {
	if s.trust == nil {
		return http.DefaultClient
	}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.trust, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true,
	}}
}

// outcome waits until the entry of a change's id has one of the statuses, and
// returns its change. It fails at once if the entry ends with an error instead.
func (s *server) outcome(id string, wanted ...string) map[string]any {
	s.t.Helper()
	return s.until(id, strings.Join(wanted, " or "), func(change map[string]any) bool {
		status, _ := change["status"].(string)
		if slices.Contains(wanted, status) {
			return true
		}
		if status == "error" {
			s.t.Fatalf("entry %s has failed, want %s: %v", id, strings.Join(wanted, " or "), change["doc"])
		}
		return false
	})
}

// until waits until the entry of a change's id is what the caller wants to
// see, by the feed, and returns its change.
func (s *server) until(id, what string, wanted func(change map[string]any) bool) map[string]any {
	s.t.Helper()
	id = id[strings.LastIndex(id, "/")+1:]
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var last map[string]any
	look := func() bool {
		last = s.send(request{path: "/1/status/" + user + "/changes/" + id}).json(s.t)
		return wanted(last)
	}
	for change, err := range s.asUser().Feed(ctx, client.FeedOptions{Since: "0"}) {
		if err != nil {
			s.t.Fatalf("entry %s: wanted %s, last seen %v: %v", id, what, last, err)
		}
		if change.EntryID() == id && look() {
			break
		}
	}
	return last
}

// was waits until the entry of a change's id has been what the caller wants to see: what
// does not last is found in the changes.
func (s *server) was(id, what string, wanted func(client.Change) bool) {
	s.t.Helper()
	id = id[strings.LastIndex(id, "/")+1:]
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for change, err := range s.asUser().Feed(ctx, client.FeedOptions{Since: "0"}) {
		if err != nil {
			s.t.Fatalf("entry %s was not seen: %s: %v", id, what, err)
		}
		if change.EntryID() == id && wanted(change) {
			return
		}
	}
}

// asUser returns a client of the API that acts as the user.
func (s *server) asUser() *client.Client {
	s.t.Helper()
	c, err := client.New(client.Options{URL: s.api, User: user, Password: core.NewSecret(password), HTTP: s.client()})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// app requests an app from the router, by Host.
func (s *server) app(host string) answer {
	s.t.Helper()
	scheme := "http"
	if s.trust != nil {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, scheme+"://"+host+"/", http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.apps)
		},
		TLSClientConfig:   &tls.Config{RootCAs: s.trust, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}}
	response, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// eventually waits until something is so; log returns what is shown if it never is.
func eventually(t *testing.T, what string, so func() bool, log func() string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(patience); !so(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited %s until %s; the log:\n%s", patience, what, log())
		}
	}
}
