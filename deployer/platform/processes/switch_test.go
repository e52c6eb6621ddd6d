package processes_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

func TestSwitchRunsTheApp(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	spec := b.app("one", "serve.js")
	spec.Env = map[string]string{"ANSWER": "mine", "PORT": "80", "HOME": "/root"}
	b.mustSwitch(spec)
	if got := b.get("one", "/"); got != "mine\n" {
		t.Errorf("got response %q, want mine", got)
	}
	got := b.State("me", "one")
	if got.Phase != runner.Started || got.Drones != 1 || got.Wanted != 1 || got.Snapshot != "1" || got.Since.IsZero() {
		t.Errorf("state %+v", got)
	}
	r := b.report("one")
	if r.Cwd != spec.Dir {
		t.Errorf("runs in %s, want %s", r.Cwd, spec.Dir)
	}
	if os.Getuid() == 0 {
		cred, err := b.Credential("me", "one")
		if err != nil {
			t.Fatal(err)
		}
		if r.UID < 50_000 || uint32(r.UID) != cred.Uid { //nolint:gosec // a uid
			t.Errorf("runs as uid %d, want %d", r.UID, cred.Uid)
		}
		// The first group is the one by which package group identifies its processes.
		if len(r.Groups) != 2 || r.Groups[0] < 40_000 || r.Groups[0] >= 50_000 || r.Groups[1] != r.UID {
			t.Errorf("runs with groups %v, want its own and one of package group", r.Groups)
		}
	} else if r.UID != os.Getuid() {
		t.Errorf("runs as uid %d, want the server's", r.UID)
	}
}

func TestEnvironmentExcludesServer(t *testing.T) {
	t.Setenv("WEBHOOKS_TEST_SECRET", "canary")
	b := setup(t, processes.Options{})
	spec := b.app("env", "serve.js")
	spec.Env = map[string]string{"ANSWER": "mine"}
	b.mustSwitch(spec)
	env := b.report("env").Env
	want := map[string]string{
		"NODE_ENV": "production", "SUBDOMAIN": "env-sub", "ANSWER": "mine", "LANG": "C.UTF-8",
		"PORT": "", "USER": "", "LOGNAME": "", "HOME": "", "DATA_DIR": "", "TMPDIR": "", "PATH": "", "WEBHOOKS_DRONE": "", "PM2_HOME": "", "NODE_OPTIONS": startup.NodeOptions("", 1<<30, nodeVersion()),
		"PWD": "", "_": "", "SHLVL": "", "OLDPWD": "", // set by the shell
	}
	for name, value := range env {
		if wanted, ok := want[name]; !ok || wanted != "" && wanted != value {
			t.Errorf("unexpected variable %s=%s", name, value)
		}
	}
	for _, name := range []string{"NODE_ENV", "SUBDOMAIN", "ANSWER", "PORT", "USER", "LOGNAME", "PM2_HOME", "NODE_OPTIONS"} {
		if env[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"HOME", "DATA_DIR", "TMPDIR"} {
		if !strings.HasPrefix(env[name], b.dir) {
			t.Errorf("%s is %s", name, env[name])
		}
		if info, err := os.Stat(env[name]); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestSwitchRefusesFailingApp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, start string
		limit             time.Duration
		wants             []string
	}{
		{"exits", "exit.js", "", patience, []string{"exited with code 7", "starting up", "no database"}},
		{"deaf", "deaf.js", "", impatience, []string{"did not accept connections", "I never listen"}},
		{"missing", "serve.js", "node nothing.js", patience, []string{"exited with code 1", "Cannot find module"}},
		{"command", "serve.js", "no-such-command --x", patience, []string{"exited with code 127", "not found"}},
		{"none", "serve.js", " ", patience, []string{"scripts.start"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, processes.Options{ReadyTimeout: test.limit, Grace: time.Second})
			b.mustSwitch(b.app("app", "serve.js"))
			before := b.report("app").Pid

			spec := b.app("app", test.file)
			spec.Snapshot, spec.Drones = "2", 2
			if test.start != "" {
				spec.Start = test.start
			}
			err := b.Switch(t.Context(), spec)
			failed := core.AsError(err)
			if failed == nil || failed.Code != core.CodePlatformStartFailed {
				t.Fatalf("error %v, want code %s", err, core.CodePlatformStartFailed)
			}
			mention(t, failed.Reason+"\n"+failed.Detail, test.wants...)
			if r := b.report("app"); r.Pid != before {
				t.Errorf("pid %d responds, want the old %d", r.Pid, before)
			}
			if got := b.State("me", "app"); got.Snapshot != "1" || got.Phase != runner.Started {
				t.Errorf("state %+v", got)
			}
		})
	}
}

func TestSwitchWaitsForRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Grace: time.Minute})
	spec := b.app("app", "serve.js")
	b.mustSwitch(spec)
	oldPid := b.report("app").Pid

	oldAddr, oldDone, _ := b.pick("app")
	resp, done := b.open("app", "/hold")
	body := bufio.NewReader(resp.Body)
	if line, err := body.ReadString('\n'); line != "held\n" {
		t.Fatalf("%q, %v", line, err)
	}

	spec.Snapshot = "2"
	spec.Env = map[string]string{"ANSWER": "second"}
	b.mustSwitch(spec)
	if got := b.get("app", "/"); got != "second\n" {
		t.Errorf("after the switch got response %q", got)
	}
	if !alive(oldPid) {
		t.Fatal("the old drone was ended with a request in flight")
	}
	// A drone that was picked before the switch still serves its request.
	release, releaseDone := b.openAt(oldAddr, "/release", oldDone)
	_ = release.Body.Close()
	if line, err := body.ReadString('\n'); line != "released\n" {
		t.Errorf("the request in flight ended with %q, %v", line, err)
	}
	done()
	releaseDone()
	// Halt waits for the old generation as well.
	if err := b.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	if alive(oldPid) {
		t.Error("the old drone is still running")
	}
	mention(t, b.text("app"), "stdout: ending")
}

// holding switches away from a drone that does not handle SIGTERM and has a
// request in flight. It returns the drone's pid, the rest of the response, and a
// function that ends the request.
func (b *fixture) holding() (pid int, rest *bufio.Reader, release func()) {
	b.t.Helper()
	spec := b.app("app", "serve.js")
	spec.Env = map[string]string{"UNAWARE": "yes"}
	b.mustSwitch(spec)
	pid = b.report("app").Pid
	address, addressDone, _ := b.pick("app")
	resp, done := b.open("app", "/hold")
	b.t.Cleanup(done)
	rest = bufio.NewReader(resp.Body)
	if line, err := rest.ReadString('\n'); line != "held\n" {
		b.t.Fatalf("%q, %v", line, err)
	}
	addressDone()
	spec.Snapshot = "2"
	b.mustSwitch(spec)
	return pid, rest, func() {
		b.t.Helper()
		answer, ended := b.openAt(address, "/release", func() {})
		_ = answer.Body.Close()
		ended()
	}
}

func TestRequestsOutliveGrace(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Grace: time.Millisecond, DrainTimeout: time.Hour})
	pid, rest, release := b.holding()
	b.mustSwitch(b.app("app", "serve.js")) // takes longer than Grace
	if !alive(pid) {
		t.Fatal("the old drone was ended with a request in flight")
	}
	release()
	if line, err := rest.ReadString('\n'); line != "released\n" {
		t.Errorf("the request in flight ended with %q, %v", line, err)
	}
}

func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{DrainTimeout: time.Millisecond})
	_, rest, _ := b.holding()
	if line, err := rest.ReadString('\n'); err == nil {
		t.Errorf("the request continues with %q", line)
	}
}

// Halt does not wait for the requests of generations that were replaced before.
func TestHaltEndsDrainingGenerations(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Grace: 100 * time.Millisecond, DrainTimeout: time.Hour})
	for range 2 {
		pid, _, _ := b.holding()
		if err := b.Halt(t.Context(), "me", "app"); err != nil {
			t.Fatal(err)
		}
		if alive(pid) {
			t.Error("the old drone is still running")
		}
	}
}

func TestHaltLeavesNoProcess(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Grace: time.Second})
	b.mustSwitch(b.app("app", "serve.js"))
	var children []int
	decode(t, b.get("app", "/fork"), &children)
	pids := append(children, b.report("app").Pid)
	for _, pid := range pids {
		if !alive(pid) {
			t.Fatalf("pid %d of %v is not running", pid, pids)
		}
	}
	if err := b.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("pid %d of %v is left", pid, pids)
		}
	}
	if _, _, ok := b.pick("app"); ok {
		t.Error("a halted app has a drone")
	}
	if got := b.State("me", "app"); got.Phase != runner.Stopped || got.Snapshot != "" {
		t.Errorf("state %+v", got)
	}
}

func TestHaltKillsStubbornApp(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Grace: time.Hour})
	b.mustSwitch(b.app("app", "stubborn.js"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	halted := make(chan error, 1)
	go func() { halted <- b.Halt(ctx, "me", "app") }()
	await(t, "the app's answer to SIGTERM", func() bool { return strings.Contains(b.text("app"), "stdout: no") })
	cancel()
	if err := <-halted; err != nil {
		t.Fatal(err)
	}
}

func TestHaltKillsWhenContextEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Grace: time.Hour})
	b.mustSwitch(b.app("app", "stubborn.js"))
	_, done, _ := b.pick("app") // a request that never ends
	defer done()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// With a context that has ended, Halt may or may not acquire the lock.
	for {
		err := b.Halt(ctx, "me", "app")
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if got := b.State("me", "app"); got.Phase != runner.Stopped {
		t.Errorf("state %+v", got)
	}
}

func TestDronesShareTheLoad(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	spec := b.app("app", "serve.js")
	spec.Drones = 3
	b.mustSwitch(spec)
	if got := b.State("me", "app"); got.Drones != 3 || got.Wanted != 3 {
		t.Errorf("state %+v", got)
	}
	count := map[string]int{}
	var dones []func()
	for range 9 {
		addr, done, ok := b.pick("app")
		if !ok {
			t.Fatal("no drone")
		}
		count[addr]++
		dones = append(dones, done)
	}
	for addr, n := range count {
		if n != 3 {
			t.Errorf("%s has %d of 9 requests in flight", addr, n)
		}
	}
	for _, done := range dones {
		done()
		done() // a second call has no effect
	}
	if len(count) != 3 {
		t.Errorf("%d drones have requests", len(count))
	}
}

func TestStartCommands(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"serve.js", "./serve.js", "serve", "node serve.js", "ANSWER=hello node serve.js && true", "bin/www", "tool"} {
		t.Run(strings.ReplaceAll(start, "/", "_"), func(t *testing.T) {
			t.Parallel()
			b := setup(t, processes.Options{})
			spec := b.app("app", "serve.js")
			spec.Start = start
			write := func(name, text string, mode os.FileMode) {
				path := filepath.Join(spec.Dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // apps need to search it
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), mode); err != nil {
					t.Fatal(err)
				}
			}
			write("bin/www", "require('../serve.js')\n", 0o644)
			write("node_modules/.bin/tool", "#!/bin/sh\nexec node serve.js\n", 0o755)
			b.mustSwitch(spec)
			if got := b.get("app", "/"); got != "hello\n" {
				t.Errorf("got response %q", got)
			}
		})
	}
}

// twoPorts returns the first of two free ports. They are below those that other tests
// and the system choose from.
func twoPorts(t *testing.T) int {
	t.Helper()
	for {
		first := 2000 + rand.IntN(4998) //nolint:gosec // not a secret
		if free(t, first) && free(t, first+1) {
			return first
		}
	}
}

func free(t *testing.T, port int) bool {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf(":%d", port))
	return err == nil && l.Close() == nil
}

func TestPortsRunOut(t *testing.T) {
	t.Parallel()
	first := twoPorts(t)
	b := setup(t, processes.Options{FirstPort: first, LastPort: first + 1})
	spec := b.app("app", "serve.js")
	spec.Drones = 3
	err := b.Switch(t.Context(), spec)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("no free port between %d and %d", first, first+1)) {
		t.Fatalf("error %v", err)
	}
	// The acquired ports are free again.
	spec.Drones = 2
	b.mustSwitch(spec)
}

// rival returns an app whose port is bound by another listener before its drone
// binds it, the given number of times, and a function that returns these ports.
func (b *fixture) rival(times int) (spec runner.Version, bound func() []string) {
	b.t.Helper()
	var mu sync.Mutex
	var ports []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if len(ports) == times {
			return
		}
		var config net.ListenConfig
		listener, err := config.Listen(r.Context(), "tcp", ":"+r.URL.Query().Get("port"))
		if err != nil {
			b.t.Error(err)
			return
		}
		b.t.Cleanup(func() { _ = listener.Close() })
		ports = append(ports, r.URL.Query().Get("port"))
	}))
	b.t.Cleanup(server.Close)
	spec = b.app("app", "late.js")
	spec.Env = map[string]string{"ASK": server.URL}
	return spec, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(ports)
	}
}

// If another process binds a port before the drone, the drone gets another port,
// and the other process gets none of the app's requests.
func TestPortIsBoundByAnotherProcess(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	spec, bound := b.rival(2)
	b.mustSwitch(spec)
	if len(bound()) != 2 {
		t.Errorf("the ports %v were bound", bound())
	}
	if got := b.get("app", "/"); got != "late\n" {
		t.Errorf("got response %q", got)
	}
}

// If that is repeated, the start fails with the reason.
func TestPortsAreAlwaysBound(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	spec, bound := b.rival(100)
	err := b.Switch(t.Context(), spec)
	if err == nil || !strings.Contains(err.Error(), "the port was bound by another process") {
		t.Errorf("error %v", err)
	}
	if len(bound()) != 3 {
		t.Errorf("the ports %v were bound", bound())
	}
	if _, _, ok := b.pick("app"); ok {
		t.Error("a drone is ready")
	}
}
