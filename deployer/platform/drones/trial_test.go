package drones_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/drones"
)

// notices keeps what a Supervisor logs and whom it brings back.
type notices struct {
	mu   sync.Mutex
	log  bytes.Buffer
	back []drones.Rollback
}

func (n *notices) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.Write(p)
}

// quick has drones given up soon, and n told of it.
func (n *notices) quick(o drones.Options) drones.Options {
	o.Backoff, o.MaxBackoff, o.Crashes = time.Millisecond, 2*time.Millisecond, 3
	o.Logger = slog.New(slog.NewTextHandler(n, nil))
	o.RolledBack = func(r drones.Rollback) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.back = append(n.back, r)
	}
	return o
}

func (n *notices) told() (log string, back []drones.Rollback) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.String(), slices.Clone(n.back)
}

// doomed is a version that crashes again and again once it is asked to.
func (b *bench) doomed(snapshot string) drones.Spec {
	b.t.Helper()
	spec := b.app("app", "doom.js")
	spec.Snapshot, spec.Env = snapshot, map[string]string{"DOOM": snapshot}
	return spec
}

// A version that crashes soon after it has replaced another one gives way to
// that one.
func TestCrashingVersionIsRolledBack(t *testing.T) {
	t.Parallel()
	var n notices
	b := setup(t, n.quick(drones.Options{Trial: time.Hour}))
	b.mustSwitch(b.app("app", "serve.js"))
	bad := b.doomed("2")
	bad.Drones = 2
	b.mustSwitch(bad)
	if got := b.State("me", "app"); got.Snapshot != "2" || got.Former != "1" {
		t.Errorf("state %+v", got)
	}
	_ = b.get("app", "/doom/1000")
	b.await("app", func(s drones.State) bool { return s.Crash.Drones == 1 })
	_ = b.get("app", "/doom/1000")
	got := b.await("app", func(s drones.State) bool { return s.Snapshot == "1" && s.Phase == drones.Started })
	if got.Wanted != 2 || got.Former != "" || got.Restarts != 0 || got.Crash.Snapshot != "2" || got.Crash.Drones != 2 || got.Crash.Time.IsZero() {
		t.Errorf("state %+v", got)
	}
	mention(t, got.Reason, "snapshot 2 crashed, and 1, which ran before, runs again", "exited with code 4", "given up after 3 crashes")
	if answer := b.get("app", "/"); answer != "hello\n" {
		t.Errorf("answer %q", answer)
	}
	if err := b.Halt(t.Context(), "me", "app"); err != nil { // then all is told
		t.Fatal(err)
	}
	mention(t, b.text("app"), "platform: drone 1 exited with code 4; it starts again", "platform: snapshot 2 crashed, and 1, which ran before, runs again")
	log, back := n.told()
	if want := []drones.Rollback{{User: "me", App: "app", From: "2", To: "1"}}; !slices.Equal(back, want) {
		t.Errorf("rolled back %v, want %v", back, want)
	}
	mention(t, log, `level=WARN msg="drone given up"`, `level=WARN msg="rolled back"`, "user=me app=app snapshot=2 former=1")
}

// So does the same version with another environment.
func TestCrashingEnvironmentIsTakenBack(t *testing.T) {
	t.Parallel()
	var n notices
	b := setup(t, n.quick(drones.Options{Trial: time.Hour}))
	spec := b.doomed("1")
	b.mustSwitch(spec)
	spec.Env = map[string]string{"DOOM": "other"}
	b.mustSwitch(spec)
	_ = b.get("app", "/doom/1000")
	got := b.await("app", func(s drones.State) bool { return s.Phase == drones.Started && s.Former == "" })
	mention(t, got.Reason, "snapshot 1 crashed with its new environment, and runs again with the one before", "exited with code 4")
	if got.Crash.Snapshot != "1" || got.Drones != 1 {
		t.Errorf("state %+v", got)
	}
}

// What has proved itself is not replaced, however it crashes later.
func TestProvedVersionIsNotRolledBack(t *testing.T) {
	t.Parallel()
	var n notices
	b := setup(t, n.quick(drones.Options{Trial: time.Millisecond}))
	b.mustSwitch(b.app("app", "serve.js"))
	b.mustSwitch(b.doomed("2"))
	b.await("app", func(s drones.State) bool { return s.Snapshot == "2" && s.Former == "" })
	_ = b.get("app", "/doom/1000")
	got := b.await("app", func(s drones.State) bool { return s.Phase == drones.Crashed })
	if got.Snapshot != "2" || got.Crash.Snapshot != "2" || got.Crash.Drones != 1 {
		t.Errorf("state %+v", got)
	}
	log, back := n.told()
	if len(back) > 0 || !strings.Contains(log, "drone given up") {
		t.Errorf("rolled back %v, log:\n%s", back, log)
	}
}

// Nor is there a way back to what is the same, or has crashed itself; but to
// what ran before that there is.
func TestWayBack(t *testing.T) {
	t.Parallel()
	var n notices
	b := setup(t, n.quick(drones.Options{Trial: time.Hour}))
	former := func(spec drones.Spec) string {
		b.mustSwitch(spec)
		return b.State("me", "app").Former
	}
	good := b.app("app", "serve.js")
	if got := former(good); got != "" {
		t.Errorf("the first version can be rolled back to %q", got)
	}
	good.Drones = 2
	if got := former(good); got != "" {
		t.Errorf("more drones can be rolled back to %q", got)
	}
	next := good
	next.Snapshot = "2"
	if got := former(next); got != "1" {
		t.Errorf("the second version can be rolled back to %q", got)
	}
	next.Drones = 1
	if got := former(next); got != "1" {
		t.Errorf("with less drones it can be rolled back to %q", got)
	}
	next.Snapshot = "3"
	if got := former(next); got != "2" {
		t.Errorf("the third version can be rolled back to %q", got)
	}
	_ = b.get("app", "/exit")
	b.await("app", func(s drones.State) bool { return s.Restarts == 1 && s.Phase == drones.Started })
	next.Snapshot = "4"
	if got := former(next); got != "2" {
		t.Errorf("after a crash of the third version the fourth can be rolled back to %q", got)
	}
	next.Env = map[string]string{"ANSWER": "new"}
	if got := former(next); got != "4" {
		t.Errorf("a new environment can be rolled back to %q", got)
	}
}

// Where the one before does not start any more, both are told.
func TestRollbackThatFails(t *testing.T) {
	t.Parallel()
	var n notices
	b := setup(t, n.quick(drones.Options{Trial: time.Hour}))
	good := b.app("app", "doom.js")
	good.Env = map[string]string{"ONCE": "yes"}
	b.mustSwitch(good)
	b.mustSwitch(b.doomed("2"))
	_ = b.get("app", "/doom/1000")
	got := b.await("app", func(s drones.State) bool { return strings.Contains(s.Reason, "does not start again") })
	if got.Phase != drones.Crashed || got.Snapshot != "2" {
		t.Errorf("state %+v", got)
	}
	mention(t, got.Reason, "given up after 3 crashes", "snapshot 1, which ran before, does not start again", "exited with code 4")
	mention(t, b.text("app"), "does not start again")
	log, back := n.told()
	if len(back) > 0 {
		t.Errorf("rolled back %v", back)
	}
	mention(t, log, `level=ERROR msg="not rolled back"`)
}

// A trial goes on where the server was restarted, and what was brought back
// stays.
func TestTrialOutlivesTheServer(t *testing.T) {
	t.Parallel()
	var n notices
	b := prepare(t, drones.Options{Trial: time.Hour, Backoff: time.Hour})
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.mustSwitch(b.app("app", "serve.js"))
	b.mustSwitch(b.doomed("2"))
	_ = b.get("app", "/doom/1000")
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := n.quick(drones.Options{Dir: filepath.Join(b.dir, "drones"), Trial: time.Hour})
	back := func(s drones.State) bool { return s.Snapshot == "1" && s.Phase == drones.Started }
	again := prepare(t, o)
	if err := again.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := again.await("app", back)
	if err := again.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, back := n.told(); len(back) != 1 || back[0].To != "1" {
		t.Errorf("rolled back %v", back)
	}
	third := prepare(t, o)
	third.start()
	after := third.await("app", back)
	if after.Crash != before.Crash || after.Reason != before.Reason {
		t.Errorf("after a restart %+v, before %+v", after, before)
	}
}

// One of several drones that was given up is told, while the others serve.
func TestOneDroneIsGivenUp(t *testing.T) {
	t.Parallel()
	var n notices
	b := setup(t, n.quick(drones.Options{}))
	spec := b.app("app", "doom.js")
	spec.Drones = 2
	b.mustSwitch(spec)
	_ = b.get("app", "/doom/2")
	got := b.await("app", func(s drones.State) bool { return s.Crash.Drones == 1 })
	if got.Phase != drones.Started || got.Drones != 1 || got.Wanted != 2 || got.Crash.Snapshot != "1" {
		t.Errorf("state %+v", got)
	}
	mention(t, got.Crash.Reason, "given up after 3 crashes")
	_ = b.get("app", "/doom/0")
	got = b.await("app", func(s drones.State) bool { return s.Restarts == 3 && s.Drones == 1 })
	if got.Crash.Drones != 1 {
		t.Errorf("after the crash of the other one %+v", got)
	}
	log, _ := n.told()
	mention(t, log, "drone given up", "left=1")
}
