package processes

import (
	"context"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// fakeProgram is a program that runs until it is ended.
type fakeProgram struct {
	program // the rest is not called
	exited  chan struct{}
}

func (p *fakeProgram) Exited() <-chan struct{} { return p.exited }

func (p *fakeProgram) End(context.Context, time.Duration) error {
	close(p.exited)
	return nil
}

// A drone of an earlier server that was not ready, and that no boot has waited for yet,
// is ended with its version.
func TestHaltEndsFoundDrone(t *testing.T) {
	t.Parallel()
	r := New(Options{Dir: t.TempDir(), SameUser: true})
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	for range cap(r.boots) { // other apps boot
		if err := r.boots.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	a := r.app("me", "app")
	g := a.newGeneration(runner.Version{User: "me", App: "app", Start: "serve.js"})
	p := &fakeProgram{exited: make(chan struct{})}
	g.slots[0].found = &drone{
		slot: g.slots[0], group: p, lost: make(chan struct{}), out: newCapture("", 1, a.journal, applog.NewMask(), time.Now),
	}
	a.current = g
	g.keep()
	if err := r.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	default:
		t.Error("the drone goes on")
	}
}
