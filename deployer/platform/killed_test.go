package platform_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// serveVariable makes the test program a platform that stops working at a point of
// a switch, until it is killed.
const serveVariable = "PLATFORM_TEST_SERVE"

// endless is the platform that such a process runs. Its listeners for the API and
// the apps are the files 3 and 4.
type endless struct {
	Dir  string
	Stop string // the point; "" for none
}

// The points of a switch from one version to another at which a server is killed.
const (
	atRelease   = "the release command of the new version runs"
	atStart     = "the new version is started and not ready"
	atReady     = "the new version is ready"
	atProven    = "the new version has been up for the minimal time"
	atWritten   = "the new version is written to the database"
	atCommitted = "the new version gets the requests, the old one is in reserve"
	atEnding    = "the old version is ending"
	atHalted    = "the old version is stopped, as it suffers no second copy"
)

// servePlatform runs a platform until it is killed, and prints its addresses, its key,
// and the point at which it stops working.
func servePlatform(ctx context.Context, text string) error {
	var e endless
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return err
	}
	keeper := []string{"/proc/self/exe", keeperCommand}
	grace := 100 * time.Millisecond
	if e.Stop == atEnding {
		grace = patience
	}
	p := platform.New(platform.Options{
		Dir: e.Dir, Keeper: keeper, MinReadyTime: 50 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Bind: func(_ context.Context, name, _ string) (net.Listener, error) {
			fd := map[string]uintptr{"platform-listen": 3, "apps-listen": 4}[name]
			return net.FileListener(os.NewFile(fd, name))
		},
		Runner: func(dir string, crashed func(runner.Crash)) (platform.Remote, error) {
			r := processes.New(processes.Options{Dir: dir, Keeper: keeper, ReadyTimeout: patience, Grace: grace, Crashed: crashed})
			return &stopping{Runner: r, stop: e.Stop}, nil
		},
	})
	if err := p.Start(ctx); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(os.Stdout, "platform", p.URL(), p.Key().Reveal())
	select {}
}

// stopping is a runner that never goes on after a point of a switch to the snapshot v2.
type stopping struct {
	*processes.Runner
	stop string
}

func (s *stopping) reached(point string) {
	if point == s.stop {
		_, _ = fmt.Fprintln(os.Stdout, "reached")
		select {}
	}
}

// Reachable reports that its apps can be reached.
func (s *stopping) Reachable(context.Context) error { return nil }

// Launch launches a version.
func (s *stopping) Launch(ctx context.Context, v runner.Version) (runner.Candidate, error) {
	c, err := s.Runner.Launch(ctx, v)
	if err != nil || v.Snapshot != "v2" {
		return c, err
	}
	s.reached(atReady)
	return &stoppingCandidate{c, s}, nil
}

// Halt halts an app.
func (s *stopping) Halt(ctx context.Context, user, app string) error {
	err := s.Runner.Halt(ctx, user, app)
	s.reached(atHalted)
	return err
}

// stoppingCandidate is a candidate of the snapshot v2.
type stoppingCandidate struct {
	runner.Candidate
	s *stopping
}

// Watch watches the candidate.
func (c *stoppingCandidate) Watch(ctx context.Context, d time.Duration) error {
	err := c.Candidate.Watch(ctx, d)
	c.s.reached(atProven)
	return err
}

// Commit commits the candidate.
func (c *stoppingCandidate) Commit(standby time.Duration) {
	c.s.reached(atWritten)
	if c.s.stop == atCommitted {
		standby = patience
	}
	c.Candidate.Commit(standby)
	c.s.reached(atCommitted)
}

// killable is a platform in a process of its own, whose listeners stay open when it
// is killed, as those of a service manager.
type killable struct {
	t         *testing.T
	dir       string
	listeners []*os.File
	apps      string // host:port
	cmd       *exec.Cmd
	client    *nodejitsu.Client // of the user me
	service   *nodejitsu.Client
	reached   chan struct{} // closed at the point
}

func newKillable(t *testing.T) *killable {
	t.Helper()
	k := &killable{t: t, dir: t.TempDir()}
	t.Cleanup(func() {
		if err := leftovers.Kill(k.dir); err != nil { // the app has outlived the server
			t.Error(err)
		}
	})
	for _, d := range []string{filepath.Dir(k.dir), k.dir} { // for the users of apps
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if text, err := os.ReadFile(k.log()); err == nil && t.Failed() {
			t.Logf("log of the platform:\n%s", text)
		}
	})
	// Builds and drones are those of two runners, and have to be of one user.
	uid := 60_000 + mathrand.Uint32N(5000)
	for _, dir := range []string{"drones", "runner"} {
		dir = filepath.Join(k.dir, "data", dir)
		state := fmt.Sprintf(`{"instance":%q,"users":{"me/app":%d}}`, rand.Text(), uid)
		if err := errors.Join(os.MkdirAll(dir, 0o711), os.WriteFile(filepath.Join(dir, "state.json"), []byte(state), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		k.apps = l.Addr().String()
		file, err := l.(*net.TCPListener).File() //nolint:forcetypeassert // it is
		if err := errors.Join(err, l.Close()); err != nil {
			t.Fatal(err)
		}
		k.listeners = append(k.listeners, file)
		t.Cleanup(func() { _ = file.Close() })
	}
	return k
}

func (k *killable) log() string { return filepath.Join(k.dir, "log") }

// start starts the process, which stops working at a point.
func (k *killable) start(stop string) {
	k.t.Helper()
	text, err := json.Marshal(endless{Dir: filepath.Join(k.dir, "data"), Stop: stop})
	if err != nil {
		k.t.Fatal(err)
	}
	k.cmd = exec.CommandContext(context.WithoutCancel(k.t.Context()), "/proc/self/exe") //nolint:gosec // this program
	k.cmd.Env = append(os.Environ(), serveVariable+"="+string(text))
	log, err := os.OpenFile(k.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		k.t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	k.cmd.ExtraFiles, k.cmd.Stderr = k.listeners, log
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(k.kill)
	lines := bufio.NewScanner(out)
	var url, key string
	if lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "platform %s %s", &url, &key) // checked below
	}
	if key == "" {
		k.t.Fatalf("the platform did not start: %s", lines.Text())
	}
	reached := make(chan struct{})
	k.reached = reached
	go func() {
		for lines.Scan() {
			if lines.Text() == "reached" {
				close(reached)
			}
		}
	}()
	as := func(name, password string) *nodejitsu.Client {
		c := nodejitsu.New(nodejitsu.Options{
			Endpoint: func() string { return url }, Username: name, Password: func() core.Secret { return core.NewSecret(password) },
		})
		k.t.Cleanup(c.Close)
		return c
	}
	k.client, k.service = as("me", "password"), as(core.ServiceUser, key)
}

// kill kills the process and waits for its end.
func (k *killable) kill() {
	_ = k.cmd.Process.Kill() // or it has ended
	_ = k.cmd.Wait()
}

// response is what a client of an app got.
type response struct {
	begun, ended time.Time
	body         string
	err          error
}

// load requests the app until the function that it returns is called, which returns
// all responses in the order of their requests.
func (k *killable) load() (count func() int, stop func() []response) {
	ctx, cancel := context.WithCancel(k.t.Context())
	var mu sync.Mutex
	var all []response
	var working sync.WaitGroup
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 2 {
		working.Go(func() {
			pace := time.NewTicker(5 * time.Millisecond)
			defer pace.Stop()
			for ; ctx.Err() == nil; <-pace.C {
				r := response{begun: time.Now()}
				r.body, r.err = k.get(&client)
				r.ended = time.Now()
				mu.Lock()
				all = append(all, r)
				mu.Unlock()
			}
		})
	}
	count = func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(all)
	}
	stop = func() []response {
		cancel()
		working.Wait()
		slices.SortFunc(all, func(a, b response) int { return a.begun.Compare(b.begun) })
		return all
	}
	k.t.Cleanup(cancel)
	return count, stop
}

func (k *killable) get(client *http.Client) (string, error) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(k.t.Context()), http.MethodGet, "http://"+k.apps, http.NoBody)
	if err != nil {
		return "", err
	}
	req.Host = "app.localhost"
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Sprintf("%d %s", resp.StatusCode, text), err
	}
	return string(text), err
}

// until waits until something is so.
func (k *killable) until(what string, so func() bool) {
	k.t.Helper()
	limit, tick := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-limit:
			k.t.Fatalf("never: %s", what)
		}
	}
}

// running returns the names of the app's processes that run, which are the files that
// they made: the name of a version, "release" or "ending", a dot and the pid.
func (k *killable) running() []string {
	k.t.Helper()
	var found []string
	files, err := filepath.Glob(filepath.Join(k.dir, "data", "runner", "homes", "me", "app", "home", "*.pid"))
	if err != nil {
		k.t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pid")
		_, pid, _ := strings.Cut(name, ".")
		if stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat")); err == nil && !strings.Contains(string(stat), ") Z ") {
			found = append(found, name)
		}
	}
	return found
}

// named returns the names that begin with a prefix.
func named(names []string, prefix string) (found []string) {
	for _, name := range names {
		if strings.HasPrefix(name, prefix+".") {
			found = append(found, name)
		}
	}
	return found
}

// A server that is killed at any point of a switch leaves an app that has one version
// after the restart: the one before until the new one is written to the database.
// Only the requests that the server was answering break off, and no client gets an
// answer of the new version before one of the old. Of what was written there is an
// event.
func TestKilledWithinASwitch(t *testing.T) {
	t.Parallel()
	for point, test := range map[string]struct {
		after  string // the version that serves in the end
		fields string // of the package.json of v2
		code   string // before it listens
		anew   bool   // its process is another one after the restart
	}{
		atRelease:   {after: "v1"},
		atStart:     {after: "v1", code: "await new Promise(() => setInterval(() => {}, 1000));"},
		atReady:     {after: "v1"},
		atProven:    {after: "v1"},
		atWritten:   {after: "v2"},
		atCommitted: {after: "v2"},
		atEnding:    {after: "v2"},
		atHalted:    {after: "v1", fields: `,"webhooks":{"switch":"stop-first"}`, anew: true},
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			k := newKillable(t)
			k.start(point)
			ok := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			ok(k.service.CreateUser(t.Context(), nodejitsu.User{Username: "me", Password: core.NewSecret("password")}))
			ok(k.client.CreateApp(t.Context(), "me", "app", nil))
			upload := func(id string, files map[string]string) {
				ok(k.client.UploadSnapshot(t.Context(), "me", "app", id, "", strings.NewReader(string(pack(t, files))), io.Discard))
			}
			upload("v1", map[string]string{"package.json": `{"name":"app","version":"1.0.0"}`, "server.js": marking("v1", "")})
			second := map[string]string{"package.json": `{"name":"app","version":"2.0.0"` + test.fields + `}`, "server.js": marking("v2", test.code)}
			if point == atRelease {
				second["Procfile"] = "web: node server.js\nrelease: touch $DATA_DIR/release.$$.pid; exec sleep 1013\n"
			}
			upload("v2", second)
			ok(k.client.ActivateSnapshot(t.Context(), "me", "app", "v1"))
			_, err := k.client.StartApp(t.Context(), "me", "app")
			ok(err)
			first := named(k.running(), "v1")
			if len(first) != 1 {
				t.Fatalf("the first version runs as %v", k.running())
			}
			count, stop := k.load()
			k.until("the first version answers", func() bool { return count() > 0 })

			started := make(chan error, 1)
			go func() {
				_, err := k.client.StartSnapshot(t.Context(), "me", "app", "v2")
				started <- err
			}()
			switch point {
			case atRelease:
				k.until("the release command runs", func() bool { return len(named(k.running(), "release")) > 0 })
			case atStart:
				k.until("the new version is started", func() bool { return len(named(k.running(), "v2")) > 0 })
			case atEnding:
				k.until("the old version is ending", func() bool { return len(named(k.running(), "ending")) > 0 })
			default:
				select {
				case <-k.reached:
				case err := <-started:
					t.Fatalf("the start ended: %v", err)
				}
			}
			before := k.running()
			killed := time.Now()
			k.kill()
			if err := <-started; err == nil && point != atEnding {
				t.Error("the start was answered")
			}
			k.start("")
			back := time.Now()
			if point == atEnding { // it waits for the end of its last request
				k.until("the old version ends", func() bool { return len(named(k.running(), "v1")) == 0 })
			}
			k.until("one version runs", func() bool {
				left := k.running()
				return len(left) == 1 && strings.HasPrefix(left[0], test.after+".")
			})
			if left := k.running(); test.anew == slices.Contains(before, left[0]) {
				t.Errorf("%v runs, before the kill %v", left, before)
			}
			some := count() + 20
			k.until("the app answers after the restart", func() bool { return count() > some })
			check(t, stop(), killed, back, test.after, test.anew)
			app, err := k.client.App(t.Context(), "me", "app")
			ok(err)
			if app.State != "started" || app.Running == nil || app.Running.ID != test.after || app.Active == nil || app.Active.ID != test.after {
				t.Errorf("the app is described as %+v", app)
			}
			events, err := k.service.Events(t.Context(), 0)
			ok(err)
			reasons := []string{"me started snapshot v1"}
			if test.after == "v2" {
				reasons = append(reasons, "me deployed snapshot v2")
			}
			for _, e := range events {
				if len(reasons) == 0 || e.Reason != reasons[0] {
					t.Fatalf("got the event %+v, want %q", e, reasons)
				}
				reasons = reasons[1:]
			}
			if len(reasons) > 0 {
				t.Errorf("there is no event %q", reasons)
			}
		})
	}
}

// marking is a version that makes a file for each of its processes, and ends only when
// it is killed.
func marking(version, before string) string {
	return `
		const { writeFileSync } = require('fs')
		const mark = name => writeFileSync(process.env.DATA_DIR + '/' + name + '.' + process.pid + '.pid', '')
		process.on('SIGTERM', () => mark('ending'))
		mark('` + version + `')
		;(async () => {
			` + before + `
			require('http').createServer((req, res) => res.end('` + version + `')).listen(process.env.PORT)
		})()`
}

// check checks the responses that clients got while the server was killed and started
// again. If stopped is set, the app answered nothing for a time.
func check(t *testing.T, all []response, killed, back time.Time, after string, stopped bool) {
	t.Helper()
	broken, last := 0, ""
	var renewed time.Time // when the first answer of v2 came
	for _, r := range all {
		if r.body == "v2" && (renewed.IsZero() || r.ended.Before(renewed)) {
			renewed = r.ended
		}
	}
	for _, r := range all {
		switch {
		case r.err != nil && r.begun.Before(back) && r.ended.After(killed):
			broken++
		case r.err != nil:
			t.Errorf("a request failed: %v", r.err)
		case stopped && strings.HasPrefix(r.body, strconv.Itoa(http.StatusServiceUnavailable)):
		case r.body != "v1" && r.body != after:
			t.Errorf("after %q came the answer %q", last, r.body)
		case r.body == "v1" && !renewed.IsZero() && r.begun.After(renewed):
			t.Errorf("a request that began %v after an answer of v2 got one of v1", r.begun.Sub(renewed))
		default:
			last = r.body
		}
	}
	if broken > 2 { // one of each client
		t.Errorf("%d requests broke off", broken)
	}
	if last != after {
		t.Errorf("the last request got %q", last)
	}
}
