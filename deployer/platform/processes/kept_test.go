package processes_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/keeper"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// keepers is the command of the keepers in tests.
func keepers() []string { return []string{"/proc/self/exe", keeperCommand} }

// killed runs v in a server that is killed when the drone is ready, and returns
// what the drone said about itself.
func (b *fixture) killed(v runner.Version) report {
	b.t.Helper()
	server, addr := b.serve(v, "0022", keepers()...)
	resp, done := b.openAt(addr, "/env", func() {})
	var r report
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		b.t.Fatal(err)
	}
	done()
	if err := server.Process.Kill(); err != nil {
		b.t.Fatal(err)
	}
	_ = server.Wait() // it was killed
	return r
}

// A drone goes on when its server is killed, and the next one takes it over with
// its address and its log.
func TestDroneOutlivesKilledServer(t *testing.T) {
	t.Parallel()
	b := prepare(t, processes.Options{})
	spec := b.app("app", "count.js")
	spec.Env = map[string]string{"API_SECRET": "swordfish-15"}
	spec.Processes = map[string]string{"worker": "echo working; exec sleep 1010"}
	before := b.killed(spec)
	if !runs(before.Pid) {
		t.Fatal("the drone ended with its server")
	}
	keeper := parent(t, before.Pid)
	for _, file := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(keeper), file))
		if err != nil || strings.Contains(string(text), "swordfish") {
			t.Errorf("%s of the keeper has the app's environment: %q, %v", file, text, err)
		}
	}

	b.start()
	if !runs(before.Pid) {
		t.Fatal("the next server ended the drone")
	}
	// A person may have changed these meanwhile.
	spec.Subdomain, spec.Domains, spec.Order, spec.Snapshots = "other", []string{"example.org"}, "7", []string{"1", "2"}
	launch, err := b.Resume(t.Context(), spec)
	if err != nil || launch == "" {
		t.Fatal(launch, err)
	}
	b.EndOthers(t.Context())
	if s := b.State("me", "app"); s.Phase != runner.Started || s.Drones != 1 || s.Restarts != 0 {
		t.Errorf("right after it was taken over: %+v", s)
	}
	if after := b.report("app"); after.Pid != before.Pid {
		t.Errorf("pid %d answers, before it was %d", after.Pid, before.Pid)
	}
	b.counts("app", 100)
	if text := b.text("app"); strings.Count(text, "working") != 1 {
		t.Errorf("the worker was started again: %s", text)
	}
	mention(t, b.text("app"), "stdout: the secret is ***")
	// It is restarted like any other.
	if err := syscall.Kill(before.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	got := b.await("app", func(s runner.State) bool { return s.Restarts == 1 && s.Phase == runner.Started })
	mention(t, got.Reason, "drone 1 was ended by signal 9 (killed)")
	// And stopped like any other.
	after := b.report("app")
	if err := b.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	if runs(after.Pid) {
		t.Error("the drone survives Halt")
	}
	b.noKeepers()
}

// await waits until a condition is true.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-t.Context().Done():
			t.Fatalf("awaited: %s", what)
		}
	}
}

// counts waits until count.js has logged that many lines, and checks that none is
// missing or there twice.
func (b *fixture) counts(app string, lines int) {
	b.t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		all, err := b.Logs("me", app, time.Time{}, time.Time{}, 1_000_000)
		if err != nil {
			b.t.Fatal(err)
		}
		want := 0
		for _, line := range all {
			if n, ok := strings.CutPrefix(line.Text, "count "); ok {
				if want++; n != strconv.Itoa(want) {
					b.t.Fatalf("after line %d comes %s", want-1, n)
				}
			}
		}
		if want >= lines {
			return
		}
		select {
		case <-again.C:
		case <-b.t.Context().Done():
			b.t.Fatal(b.text(app))
		}
	}
}

// noKeepers waits until no keeper is left.
func (b *fixture) noKeepers() {
	b.t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		left, err := os.ReadDir(filepath.Join(b.dir, "drones", "keepers"))
		if err != nil {
			b.t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-again.C:
		case <-b.t.Context().Done():
			b.t.Fatalf("keepers are left: %v", left)
		}
	}
}

// parent returns the parent of a process.
func parent(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return atoi(t, strings.Fields(rest)[1])
}

// What a server left and is not resumed is ended: an app that was stopped, and a
// version that was replaced or has another environment.
func TestDronesThatAreNotResumedEnd(t *testing.T) {
	t.Parallel()
	for name, resume := range map[string]func(*fixture, runner.Version){
		"stopped": func(*fixture, runner.Version) {},
		"another version": func(b *fixture, v runner.Version) {
			v.Env = map[string]string{"ANSWER": "new"}
			if _, err := b.Resume(b.t.Context(), v); err != nil {
				b.t.Fatal(err)
			}
			b.await("app", func(s runner.State) bool { return s.Phase == runner.Started })
			if got := b.get("app", "/"); got != "new\n" {
				b.t.Errorf("got response %q", got)
			}
		},
		"launched": func(b *fixture, v runner.Version) { b.mustSwitch(v) },
		"halted": func(b *fixture, _ runner.Version) {
			if err := b.Halt(b.t.Context(), "me", "app"); err != nil {
				b.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := prepare(t, processes.Options{})
			spec := b.app("app", "serve.js")
			before := b.killed(spec)
			b.start()
			resume(b, spec)
			b.EndOthers(t.Context())
			again := time.NewTicker(5 * time.Millisecond)
			defer again.Stop()
			for runs(before.Pid) && t.Context().Err() == nil {
				<-again.C
			}
		})
	}
}

// A version of which no two drones may run starts when those of another one have ended,
// which here takes the grace time.
func TestStopFirstAwaitsEnd(t *testing.T) {
	t.Parallel()
	resume := func(b *fixture, v runner.Version) {
		if _, err := b.Resume(b.t.Context(), v); err != nil {
			b.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		killed bool // the server that started the other one
		start  func(*fixture, runner.Version)
	}{
		"resumed":         {true, resume},
		"launched":        {true, (*fixture).mustSwitch},
		"launched later":  {true, func(b *fixture, v runner.Version) { b.EndOthers(b.t.Context()); b.mustSwitch(v) }},
		"after an abort":  {false, (*fixture).mustSwitch},
		"resumed at once": {false, resume},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := prepare(t, processes.Options{Grace: 10 * time.Second})
			v := b.app("app", "lone.js")
			v.StopFirst = true
			other := v
			other.Env = map[string]string{"STUBBORN": "yes"}
			said := func(times int) {
				t.Helper()
				await(t, "the app's line", func() bool {
					return strings.Count(b.text("app"), "stdout: alone")+strings.Count(b.text("app"), "stdout: twice") == times
				})
			}
			if c.killed {
				server, _ := b.serve(other, "0022", keepers()...)
				said(1)
				if err := server.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = server.Wait() // it was killed
				b.start()
			} else {
				b.start()
				failing, err := b.Launch(t.Context(), other)
				if err != nil {
					t.Fatal(err)
				}
				said(1)
				failing.Abort()
			}
			c.start(b, v)
			said(2)
			if text := b.text("app"); strings.Contains(text, "twice") {
				t.Error(text)
			}
		})
	}
}

// Drones of an app that could not be resumed go on, also when the next server stops and
// leaves its drones. They end when a server stops that ends its drones.
func TestDronesThatCannotBeResumedGoOn(t *testing.T) {
	t.Parallel()
	b := prepare(t, processes.Options{})
	before := b.killed(b.app("app", "serve.js"))
	for _, keep := range []bool{true, true, false} {
		again := prepare(t, processes.Options{Dir: filepath.Join(b.dir, "drones"), KeepDrones: func() bool { return keep }})
		again.start()
		again.Note("me", "app", "its environment can't be read")
		again.EndOthers(t.Context())
		if err := again.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := runs(before.Pid); got != keep {
			t.Fatalf("keep: %t, the drone runs: %t", keep, got)
		}
	}
}

// A drone that exits while there is no server is a crash for the next one, which
// has its last lines.
func TestDroneExitsWithoutServer(t *testing.T) {
	t.Parallel()
	crashes := make(chan runner.Crash, 10)
	b := prepare(t, processes.Options{Backoff: time.Millisecond, Crashed: func(c runner.Crash) { crashes <- c }})
	spec := b.app("app", "serve.js")
	before := b.killed(spec)
	if err := syscall.Kill(before.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.start()
	if _, err := b.Resume(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	c := <-crashes
	mention(t, c.Reason, "drone 1 was ended by signal 9 (killed)")
	b.await("app", func(s runner.State) bool { return s.Restarts == 1 && s.Phase == runner.Started })
}

// A web drone whose keeper is killed serves until another one is ready, and its
// last request is finished.
func TestKilledKeeper(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	b.mustSwitch(b.app("app", "serve.js"))
	b.mu.Lock()
	b.states = nil
	b.mu.Unlock()
	before := b.report("app")
	addr, picked, _ := b.pick("app")
	held, done := b.openAt(addr, "/hold", picked)
	defer done()
	if err := syscall.Kill(parent(t, before.Pid), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	got := b.await("app", func(s runner.State) bool { return s.Restarts == 1 })
	const reason = "the keeper of drone 1 was killed, and another drone took its place"
	mention(t, got.Reason, reason)
	mention(t, b.text("app"), reason)
	if after := b.report("app"); after.Pid == before.Pid {
		t.Error("new requests go to the former drone")
	}
	if !runs(before.Pid) {
		t.Fatal("the former drone ended before its requests")
	}
	_, released := b.openAt(addr, "/release", func() {})
	released()
	if text, err := io.ReadAll(held.Body); err != nil || string(text) != "held\nreleased\n" {
		t.Errorf("the last request got %q, %v", text, err)
	}
	done()
	await(t, "the former drone ended", func() bool { return !runs(before.Pid) })
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.states {
		if s.Phase != runner.Started {
			t.Errorf("meanwhile the app was %+v", s)
		}
	}
}

// A drone that must not run twice is ended first if its keeper is killed, and
// started again like one that crashed.
func TestKilledKeeperOfOneAtATime(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*runner.Version){
		"stop first": func(v *runner.Version) { v.StopFirst = true },
		"worker":     func(v *runner.Version) { v.Processes, v.Start = map[string]string{"worker": v.Start}, "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, processes.Options{Backoff: time.Millisecond})
			v := b.app("app", "lone.js")
			set(&v)
			b.mustSwitch(v)
			var before int
			await(t, "the app's first line", func() bool {
				_, said, _ := strings.Cut(b.text("app"), "stdout: ")
				_, err := fmt.Sscanf(said, "alone %d", &before)
				return err == nil
			})
			if err := syscall.Kill(parent(t, before), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			got := b.await("app", func(s runner.State) bool { return s.Restarts == 1 && s.Phase == runner.Started })
			mention(t, got.Reason, " was ended, as its keeper was killed")
			await(t, "the app's next line", func() bool { return strings.Count(b.text("app"), "stdout: alone") == 2 })
			if text := b.text("app"); strings.Contains(text, "twice") {
				t.Error(text)
			}
		})
	}
}

// A drone whose keeper is killed while no server runs is started by the next one, and
// runs once.
func TestKeeperKilledWithoutServer(t *testing.T) {
	t.Parallel()
	b := prepare(t, processes.Options{KeepDrones: func() bool { return true }})
	b.start()
	spec := b.app("app", "serve.js")
	b.mustSwitch(spec)
	before := b.report("app")
	keeper := parent(t, before.Pid)
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	again := prepare(t, processes.Options{Dir: filepath.Join(b.dir, "drones")})
	again.start()
	if _, err := again.Resume(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	again.await("app", func(s runner.State) bool { return s.Phase == runner.Started })
	if after := again.report("app"); after.Pid == before.Pid || runs(before.Pid) {
		t.Errorf("pid %d answers, and pid %d runs: %t", after.Pid, before.Pid, runs(before.Pid))
	}
}

// Stop leaves the drones to the next server if it is asked to.
func TestStopKeepsDrones(t *testing.T) {
	t.Parallel()
	b := prepare(t, processes.Options{KeepDrones: func() bool { return true }})
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	spec := b.app("app", "count.js")
	b.mustSwitch(spec)
	site := b.app("site", "serve.js")
	site.Start, site.Static = "", site.Dir
	b.mustSwitch(site)
	before := b.report("app")
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !runs(before.Pid) {
		t.Fatal("Stop ended the drone")
	}
	if _, _, ok := b.pick("app"); ok {
		t.Error("a stopped Runner picks a drone")
	}
	again := prepare(t, processes.Options{Dir: filepath.Join(b.dir, "drones")})
	again.start()
	for _, v := range []runner.Version{spec, site} {
		if _, err := again.Resume(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		if s := again.State("me", v.App); s.Phase != runner.Started {
			t.Errorf("%s right after it was resumed: %+v", v.App, s)
		}
	}
	again.EndOthers(t.Context())
	if after := again.report("app"); after.Pid != before.Pid {
		t.Errorf("pid %d answers, before it was %d", after.Pid, before.Pid)
	}
	again.counts("app", 50)
	if err := again.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if runs(before.Pid) {
		t.Error("the drone survives a stop")
	}
	b.noKeepers()
}

// Without a server, a drone ends after the time that is set.
func TestOrphanTimeout(t *testing.T) {
	t.Parallel()
	b := prepare(t, processes.Options{KeepDrones: func() bool { return true }, OrphanTimeout: 10 * time.Second})
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.mustSwitch(b.app("app", "serve.js"))
	before := b.report("app")
	if err := b.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	b.noKeepers()
	if runs(before.Pid) {
		t.Error("the drone goes on")
	}
}

// A keeper that does not answer keeps no other from being found.
func TestFindBesideHangingKeeper(t *testing.T) {
	t.Parallel()
	b := prepare(t, processes.Options{KeepDrones: func() bool { return true }})
	b.start()
	for _, name := range []string{"one", "two"} {
		b.mustSwitch(b.app(name, "serve.js"))
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(b.dir, "drones", "keepers")
	all, err := keeper.Find(t.Context(), dir, patience)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	for _, c := range all {
		c.Detach()
	}
	hanging, other := all[0], all[1] // in the order of the folder
	if err := syscall.Kill(hanging.Found().Keeper, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	found, err := keeper.Find(t.Context(), dir, impatience)
	if err == nil || !strings.Contains(err.Error(), hanging.Mark()) {
		t.Errorf("the error is %v, and %s hangs", err, hanging.Mark())
	}
	if len(found) != 1 || found[0].Mark() != other.Mark() {
		t.Errorf("found %v, want %s", found, other.Mark())
	}
	for _, c := range found {
		c.Detach()
	}
	if err := syscall.Kill(hanging.Found().Keeper, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	// The next server, which resumes no app, ends both.
	prepare(t, processes.Options{Dir: filepath.Join(b.dir, "drones")}).start()
}

// A drone whose keeper ends before it has answered is ended.
func TestKeeperEndsBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pid := filepath.Join(dir, "pid")
	mark := "test." + rand.Text()
	script := `WEBHOOKS_DRONE=` + mark + ` setsid sleep 1012 </dev/null >/dev/null 2>&1 3>&- 4>&- & echo $! >` + pid + `; echo "no memory" >&2`
	_, err := keeper.Start(t.Context(), keeper.Options{
		Dir: filepath.Join(dir, "keepers"), Command: []string{"/bin/sh", "-c", script}, Spec: keeper.Spec{Mark: mark},
	})
	if err == nil || !strings.Contains(err.Error(), "no memory") {
		t.Errorf("the error is %v", err)
	}
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	if runs(atoi(t, string(text))) {
		t.Error("the drone goes on")
	}
}
