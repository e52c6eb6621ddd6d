package processes

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// fakeProgram is a program whose exit is not noticed before it is ended.
type fakeProgram struct {
	pid   int
	end   func() error
	ended bool
}

func (p *fakeProgram) Pid() int                { return p.pid }
func (p *fakeProgram) Exited() <-chan struct{} { return nil }
func (p *fakeProgram) Members() ([]int, error) { return nil, nil }
func (p *fakeProgram) OutOfMemory() bool       { return false }

func (p *fakeProgram) End(context.Context, time.Duration) error {
	p.ended = true
	return p.end()
}

// fakeDrone returns a drone of the program for a slot.
func (a *application) fakeDrone(sl *slot, p *fakeProgram) *drone {
	return &drone{slot: sl, group: p, lost: make(chan struct{}), out: newCapture("", 1, a.journal, applog.NewMask(), time.Now)}
}

// A drone of an earlier server that was not ready, and that no boot has waited for yet,
// is ended with its version.
func TestHaltEndsFoundDrone(t *testing.T) {
	t.Parallel()
	r := started(t)
	for range cap(r.boots) { // other apps boot
		if err := r.boots.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	a := r.app("me", "app")
	g := a.newGeneration(runner.Version{User: "me", App: "app", Start: "serve.js"})
	p := &fakeProgram{end: func() error { return nil }}
	g.slots[0].found = a.fakeDrone(g.slots[0], p)
	a.current = g
	g.keep()
	if err := r.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	if !p.ended {
		t.Error("the drone goes on")
	}
}

// A process of an earlier server that can't be killed does not keep the server from
// starting; a process table that can't be read does.
func TestEndLeftovers(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	r := New(Options{Grace: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	const none = 1 << 30 // beyond the highest pid
	if err := r.endLeftovers(t.Context(), func() ([]int, error) { return []int{none}, nil }); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), strconv.Itoa(none)) {
		t.Errorf("the log does not name the process: %s", log.String())
	}
	failure := errors.New("too many open files")
	if err := r.endLeftovers(t.Context(), func() ([]int, error) { return nil, failure }); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
}
