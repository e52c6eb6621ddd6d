package redis

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// If too many deliveries wait for Redis, more are refused at once, and accepted again
// as soon as Redis keeps up.
func TestOverload(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	s := New(Options{Addrs: []string{server.Addr}, MaxWaiting: 3})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	accept := func(id string) error {
		e := core.Entry{ID: id, User: "u", Status: core.StatusPending, Steps: []core.Step{}, CreatedAt: time.Now()}
		_, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e, Payload: []byte("{}")})
		return err
	}
	if err := accept("before"); err != nil { // and the script is known
		t.Fatal(err)
	}
	server.Pause()
	results := make(chan error, senders+3)
	for i := range senders + 3 { // each sender is busy with one, and three wait
		go func() { results <- accept(fmt.Sprint("waits", i)) }()
		if i < senders {
			for s.sending.Load() <= int64(i) {
				runtime.Gosched()
			}
		}
	}
	for s.Admit() == nil {
		runtime.Gosched()
	}
	if err := accept("refused"); !errors.Is(err, core.ErrOverloaded) {
		t.Errorf("got %v", err)
	}
	server.Resume()
	for range senders + 3 {
		// Redis may have been paused for longer than a call takes, on a slow machine.
		if err := <-results; errors.Is(err, core.ErrOverloaded) {
			t.Error(err)
		}
	}
	if err := accept("after"); err != nil {
		t.Errorf("the store does not recover: %v", err)
	}
	if err := s.Admit(); err != nil {
		t.Error(err)
	}
	if _, err := s.Find(t.Context(), "refused"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the refused delivery is there: %v", err)
	}
}
