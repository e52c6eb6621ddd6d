package processes_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

func TestCrashedDroneRestarts(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Backoff: time.Millisecond})
	b.mustSwitch(b.app("app", "serve.js"))
	var children []int
	decode(t, b.get("app", "/fork"), &children)
	first := b.report("app").Pid
	_ = b.get("app", "/exit")
	got := b.await("app", func(s runner.State) bool { return s.Restarts == 1 && s.Phase == runner.Started })
	mention(t, got.Reason, "drone 1 exited with code 3")
	if second := b.report("app").Pid; second == first {
		t.Errorf("pid %d still responds", first)
	}
	for _, pid := range append(children, first) {
		if alive(pid) {
			t.Errorf("pid %d of the crashed drone is left", pid)
		}
	}
	mention(t, b.text("app"), "platform: drone 1 exited with code 3; it starts again in 1ms")
	// A switch resets the count.
	b.mustSwitch(b.app("app", "serve.js"))
	if got := b.State("me", "app"); got.Restarts != 0 || got.Reason != "" {
		t.Errorf("after a switch: %+v", got)
	}
}

func TestKilledDroneRestarts(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Backoff: time.Millisecond})
	b.mustSwitch(b.app("app", "serve.js"))
	if err := syscall.Kill(b.report("app").Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	got := b.await("app", func(s runner.State) bool { return s.Restarts == 1 && s.Phase == runner.Started })
	mention(t, got.Reason, "drone 1 was ended by signal 9 (killed)")
}

// An app that crashes repeatedly is reported as crashed, but is still restarted,
// and serves once it can.
func TestCrashLoopGoesOn(t *testing.T) {
	t.Parallel()
	crashes := make(chan runner.Crash, 100)
	b := setup(t, processes.Options{
		Backoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond, Crashed: func(c runner.Crash) { crashes <- c },
	})
	spec := b.app("app", "doom.js")
	b.mustSwitch(spec)
	_ = b.get("app", "/doom/8") // as if a database were away for a while
	got := b.await("app", func(s runner.State) bool { return s.Phase == runner.Crashed && !s.Next.IsZero() })
	mention(t, got.Reason, "drone 1 exited with code 4")
	if got.Restarts < 5 || got.Snapshot != "1" || got.Since.IsZero() {
		t.Errorf("state %+v", got)
	}
	got = b.await("app", func(s runner.State) bool { return s.Phase == runner.Started })
	if got.Restarts != 9 || !got.Next.IsZero() || b.get("app", "/") != "hello\n" {
		t.Errorf("state %+v", got)
	}
	for i := range 9 {
		c := <-crashes
		if c.User != "me" || c.App != "app" || c.Snapshot != "1" || c.Drone != 1 || c.Again != (i > 0) || c.Pause < time.Millisecond || c.Pause > 2*time.Millisecond {
			t.Errorf("crash %d: %+v", i+1, c)
		}
	}
	// The next version runs.
	b.mustSwitch(b.app("app", "serve.js"))
	if got := b.State("me", "app"); got.Phase != runner.Started || got.Restarts != 0 {
		t.Errorf("state %+v", got)
	}
}

// The next server resumes an app with the same user, home and log.
func TestResume(t *testing.T) {
	t.Parallel()
	b := prepare(t, processes.Options{Grace: patience})
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	spec := b.app("app", "serve.js")
	spec.Env = map[string]string{"ANSWER": "again"}
	b.mustSwitch(spec)
	first := b.report("app")
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if alive(first.Pid) {
		t.Error("a drone survives the stop")
	}
	if _, _, ok := b.pick("app"); ok {
		t.Error("a stopped Runner picks a drone")
	}
	if err := b.Switch(t.Context(), spec); core.CodeOf(err) != core.CodePlatformBusy {
		t.Errorf("switch after the stop: %v", err)
	}

	again := prepare(t, processes.Options{Dir: filepath.Join(b.dir, "drones")})
	again.start()
	if _, err := again.Resume(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	again.await("app", func(s runner.State) bool { return s.Phase == runner.Started && s.Snapshot == "1" })
	if got := again.get("app", "/"); got != "again\n" {
		t.Errorf("got response %q", got)
	}
	if second := again.report("app"); second.UID != first.UID || second.Env["HOME"] != first.Env["HOME"] {
		t.Errorf("runs as %d in %s, before as %d in %s", second.UID, second.Env["HOME"], first.UID, first.Env["HOME"])
	}
	mention(t, again.text("app"), "stdout: ending") // from the first run

	// A folder can only be used by one server.
	if err := processes.New(processes.Options{Dir: filepath.Join(b.dir, "drones")}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second server: %v", err)
	}
}

// Resuming an app that can't be started is retried.
func TestResumeOfBrokenApp(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Backoff: time.Millisecond, MaxBackoff: time.Millisecond})
	spec := b.app("app", "serve.js")
	file := filepath.Join(spec.Dir, "serve.js")
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Resume(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	got := b.await("app", func(s runner.State) bool { return s.Phase == runner.Crashed })
	mention(t, got.Reason, "before it accepted connections")
	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	b.await("app", func(s runner.State) bool { return s.Phase == runner.Started })
}

// Without keepers, a server that is killed leaves its drones and their child
// processes. The next server ends all of them before it resumes the apps.
func TestServerIsKilled(t *testing.T) {
	t.Parallel()
	b := prepare(t, processes.Options{})
	spec := b.app("app", "serve.js")
	spec.Drones = 2
	server, addr := b.serve(spec, "0022")
	resp, done := b.openAt(addr, "/fork", func() {})
	var children []int
	if err := json.NewDecoder(resp.Body).Decode(&children); err != nil {
		t.Fatal(err)
	}
	done()
	resp, done = b.openAt(addr, "/env", func() {})
	var before report
	if err := json.NewDecoder(resp.Body).Decode(&before); err != nil {
		t.Fatal(err)
	}
	done()
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait() // it was killed

	b.start()
	for _, pid := range append(children, before.Pid) {
		if runs(pid) {
			t.Errorf("pid %d of the killed server is still running", pid)
		}
	}
	if _, err := b.Resume(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	got := b.await("app", func(s runner.State) bool { return s.Drones == 2 })
	if got.Restarts != 0 || got.Phase != runner.Started {
		t.Errorf("state %+v", got)
	}
	if got := b.get("app", "/"); got != "hello\n" {
		t.Errorf("got response %q", got)
	}
	if after := b.report("app"); after.UID != before.UID {
		t.Errorf("runs as %d, before as %d", after.UID, before.UID)
	}
}

// serve runs spec in another server, a process with the given umask and the command
// for its keepers, and returns the address of a drone.
func (b *fixture) serve(spec runner.Version, umask string, keeper ...string) (server *exec.Cmd, addr string) {
	b.t.Helper()
	text, err := json.Marshal(command{Dir: filepath.Join(b.dir, "drones"), Keeper: keeper, Version: spec})
	if err != nil {
		b.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	server = exec.CommandContext(b.t.Context(), "/bin/sh", "-c", `umask "$1"; exec "$0"`, self, umask) //nolint:gosec // the test itself
	server.Env = append(os.Environ(), serveVariable+"="+string(text))
	out, err := server.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.t.Fatal(err)
	}
	addr, err = bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(addr, ":") {
		b.t.Fatalf("the server printed %q, %v", addr, err)
	}
	return server, strings.TrimSpace(addr)
}

// runs reports whether pid is a process that is not a zombie: orphans of another
// process are not collected by this one.
func runs(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestDestroyRemovesEverything(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	b.mustSwitch(b.app("app", "serve.js"))
	b.mustSwitch(b.app("other", "serve.js"))
	home := b.report("app").Env["HOME"]
	if err := b.Destroy(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	if got := b.text("app"); got != "" {
		t.Errorf("log %q", got)
	}
	if _, err := os.Stat(home); !os.IsNotExist(err) {
		t.Errorf("home: %v", err)
	}
	if got := b.get("other", "/"); got != "hello\n" {
		t.Errorf("got response %q of the other app", got)
	}
}

// A process that has left the group and removed the mark is found by the app's user.
func TestHaltFindsHiddenProcess(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{SameUser: os.Getuid() != 0})
	spec := b.app("app", "serve.js")
	spec.Start = "env -i PATH=$PATH setsid sleep 1002 & echo pid $!; exec node serve.js"
	b.mustSwitch(spec)
	pid := b.pid(1)
	if err := b.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		// Without its own user it can't be distinguished from other processes.
		if runs(pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return
	}
	if syscall.Kill(pid, 0) == nil {
		t.Errorf("pid %d is left", pid)
	}
}

// A switch ends only the hidden process of the old version.
func TestSwitchEndsHiddenProcess(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		return // see TestHaltFindsHiddenProcess
	}
	b := setup(t, processes.Options{})
	var pids []int
	for i := range 2 {
		spec := b.app("app", "serve.js")
		spec.Start = "env -i PATH=$PATH setsid sleep 1004 & echo pid $!; exec node serve.js"
		b.mustSwitch(spec)
		pids = append(pids, b.pid(i+1))
	}
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for alive(pids[0]) && t.Context().Err() == nil {
		<-again.C
	}
	if !alive(pids[1]) {
		t.Error("the process of the new version has ended as well")
	}
}

func TestStartRefusesInaccessibleFolder(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(openDir(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	s := processes.New(processes.Options{Dir: filepath.Join(closed, "drones")})
	err := s.Start(t.Context())
	if os.Getuid() == 0 {
		if err == nil || !strings.Contains(err.Error(), closed+" is closed to the apps' users") {
			t.Errorf("error %v", err)
		}
		s = processes.New(processes.Options{Dir: filepath.Join(closed, "drones"), SameUser: true})
		err = s.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// An app whose many drones never become ready does not block other apps.
func TestDeafAppDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{ReadyTimeout: time.Hour, Grace: time.Second, Backoff: time.Millisecond})
	deaf := b.app("deaf", "deaf.js")
	deaf.Drones = max(2, runtime.NumCPU()) + 1
	for _, v := range []runner.Version{deaf, b.app("app", "doom.js")} {
		if _, err := b.Resume(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	started := func(s runner.State) bool { return s.Phase == runner.Started }
	b.await("app", started)
	_ = b.get("app", "/doom/0")
	b.await("app", func(s runner.State) bool { return s.Restarts == 1 && started(s) })
	if got := b.State("me", "deaf"); got.Phase != runner.Starting || got.Restarts > 0 {
		t.Errorf("the deaf app: %+v", got)
	}
}
