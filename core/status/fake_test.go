package status_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
)

// memory is a change log, and entries, for one user. It can be made to fail and to
// lose wake-ups.
type memory struct {
	mu      sync.Mutex
	changes []core.Change
	cut     core.Seq // changes up to here are no longer kept
	fail    error
	deaf    bool          // no watch is woken
	reads   int           // calls of Changes
	hold    chan struct{} // Watch waits for its end; nil: it does not
	watches map[chan struct{}]bool
}

func (m *memory) Changes(_ context.Context, _ string, since core.Seq, limit int) ([]core.EncodedChange, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.fail != nil {
		return nil, m.fail
	}
	if !since.IsZero() && since.Compare(m.cut) < 0 {
		return nil, fmt.Errorf("memory: %w", core.ErrGone)
	}
	var found []core.EncodedChange
	for _, c := range m.changes {
		if c.Seq.Compare(since) > 0 && c.Seq.Compare(m.cut) > 0 && len(found) < limit {
			encoded, err := core.EncodeChange(c)
			if err != nil {
				return nil, err
			}
			found = append(found, encoded)
		}
	}
	return found, nil
}

func (m *memory) Bounds(context.Context, string) (oldest, newest core.Seq, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return core.Seq{}, core.Seq{}, m.fail
	}
	for _, c := range m.changes {
		if c.Seq.Compare(m.cut) > 0 && oldest.IsZero() {
			oldest = c.Seq
		}
		newest = c.Seq
	}
	return oldest, newest, nil
}

func (m *memory) Watch(string) (<-chan struct{}, func()) {
	if m.hold != nil {
		<-m.hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	wake := make(chan struct{}, 1)
	if m.watches == nil {
		m.watches = map[chan struct{}]bool{}
	}
	m.watches[wake] = true
	return wake, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watches, wake)
	}
}

// add appends changes numbered from..to.
func (m *memory) add(from, to uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := from; n <= to; n++ {
		m.changes = append(m.changes, core.Change{Seq: core.Seq{Millis: n}, Entry: core.Entry{
			ID: fmt.Sprintf("%032x", n), User: "dscape", App: "app", Status: core.StatusOK, Steps: []core.Step{},
		}})
	}
	if m.deaf {
		return
	}
	for wake := range m.watches {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *memory) watched() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.watches)
}

// patience limits waiting for what must happen. It is so long that only a hang
// reaches it.
const patience = 10 * time.Minute

// running returns a started Service over m that the test stops.
func running(t *testing.T, m *memory, o status.Options) *status.Service {
	t.Helper()
	o.Feed = m
	s := status.New(o)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func subscribe(t *testing.T, s *status.Service, since string) *status.Reader {
	t.Helper()
	from, err := status.ParseSince(since)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Subscribe(t.Context(), "dscape", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// read returns the Millis of the next n changes, waiting for them.
func read(t *testing.T, r *status.Reader, n int) []uint64 {
	t.Helper()
	var seen []uint64
	for len(seen) < n {
		wake := r.Wake()
		lines, err := r.Poll(t.Context())
		if err != nil {
			t.Fatalf("after %d changes: %v", len(seen), err)
		}
		for _, line := range lines {
			seen = append(seen, line.Seq.Millis)
		}
		if len(lines) == 0 {
			select {
			case <-wake:
			case <-time.After(patience):
				t.Fatalf("no wake-up after %v", seen)
			}
		}
	}
	return seen
}

// numbers returns from..to.
func numbers(from, to uint64) []uint64 {
	var all []uint64
	for n := from; n <= to; n++ {
		all = append(all, n)
	}
	return all
}

func wantSeqs(t *testing.T, got, want []uint64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got changes %v, want %v", got, want)
	}
}
