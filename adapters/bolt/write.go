package bolt

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/adapters/internal/watchers"
	"github.com/nodejitsu/webhooks/core"
)

// write is one caller's part of a transaction.
type write struct {
	do       func(table) error // checks everything before it writes anything
	size     int               // bytes of a delivery, 0 for anything else
	delivery bool
	done     chan error // size 1
	state    atomic.Int32
}

// The states of a write: whoever changes it from waiting decides whether it is
// done, the writer or the caller whose time is up.
const (
	stateWaiting int32 = iota
	stateRunning
	stateCancelled
)

// The limits of one transaction, so that nobody waits long for others.
const (
	maxGroup      = 1024
	maxGroupBytes = 16 << 20
)

// overloadEnds is the time without refusals after which an overload has ended.
const overloadEnds = 5 * time.Second

// waiting is the writes that wait for the writer.
type waiting struct {
	maxDeliveries, maxBytes int
	wake                    chan struct{} // size 1: there is something in all

	mu                sync.Mutex
	opened            bool
	all               []*write
	deliveries, bytes int // in all
}

func (w *waiting) open() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened = true
}

// close makes all that wait, and all that come, fail.
func (w *waiting) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened = false
	for _, one := range w.all {
		one.fail(errClosed)
	}
	w.all, w.deliveries, w.bytes = nil, 0, 0
}

func (w *waiting) isOpen() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.opened
}

// add adds a write, or fails if the store is closed or has too much to do.
func (w *waiting) add(one *write) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.opened {
		return errClosed
	}
	if one.delivery {
		if w.full() {
			return core.ErrOverloaded
		}
		w.deliveries++
		w.bytes += one.size
	}
	w.all = append(w.all, one)
	watchers.Signal(w.wake)
	return nil
}

// full reports whether deliveries have to be refused.
func (w *waiting) full() bool { return w.deliveries >= w.maxDeliveries || w.bytes >= w.maxBytes }

// take removes the first writes, as many as one transaction may have.
func (w *waiting) take() []*write {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, bytes := 0, 0
	for n < len(w.all) && n < maxGroup && (n == 0 || bytes+w.all[n].size <= maxGroupBytes) {
		bytes += w.all[n].size
		if w.all[n].delivery {
			w.deliveries--
		}
		n++
	}
	w.bytes -= bytes
	group := w.all[:n:n]
	if w.all = w.all[n:]; len(w.all) > 0 {
		watchers.Signal(w.wake)
	}
	return group
}

// fail ends a write that has not begun.
func (w *write) fail(err error) {
	if w.state.CompareAndSwap(stateWaiting, stateRunning) {
		w.done <- err
	}
}

// Admit implements deploy.Store.
func (s *Store) Admit() error {
	s.waiting.mu.Lock()
	full := s.waiting.full()
	s.waiting.mu.Unlock()
	if full {
		return s.overloaded()
	}
	return nil
}

// overloaded logs that a delivery is refused, if others were not just before.
func (s *Store) overloaded() error {
	s.overload.Begin(core.ErrOverloaded)
	return s.overload.Fail()
}

// update writes in a transaction that others may share. If ctx ends before the
// write has begun, it is never done; once it has, its result is waited for.
func (s *Store) update(ctx context.Context, do func(table) error) error {
	return s.write(ctx, &write{do: do, done: make(chan error, 1)})
}

// admit is update for a delivery of that many bytes. It fails with
// core.ErrOverloaded, at once, if too many wait.
func (s *Store) admit(ctx context.Context, size int, do func(table) error) error {
	return s.write(ctx, &write{do: do, done: make(chan error, 1), size: size, delivery: true})
}

func (s *Store) write(ctx context.Context, w *write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.state.Fail(); err != nil {
		return err
	}
	if err := s.waiting.add(w); errors.Is(err, core.ErrOverloaded) {
		return s.overloaded()
	} else if err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		if w.state.CompareAndSwap(stateWaiting, stateCancelled) {
			return ctx.Err()
		}
		return <-w.done
	}
}

// writer is the one goroutine that writes. It has whatever waits at the moment
// share a transaction, and so a sync: alone, a write is not delayed.
func (s *Store) writer(ctx context.Context) {
	for {
		if s.state.Err() != nil {
			s.heal(ctx)
		}
		select {
		case <-s.waiting.wake:
		case <-ctx.Done():
			return
		}
		s.commit(s.waiting.take())
		s.overload.EndAfter(overloadEnds)
	}
}

// commit does the writes of group in one transaction. A write that finds its
// precondition unmet fails alone; one that breaks in the middle is removed, and
// the others are done again without it. If the disk does not take the transaction,
// an outage begins.
func (s *Store) commit(group []*write) {
	begun := make([]*write, 0, len(group))
	for _, w := range group {
		if w.state.CompareAndSwap(stateWaiting, stateRunning) {
			begun = append(begun, w)
		}
	}
	for len(begun) > 0 {
		results := make([]error, len(begun))
		broken := -1
		err := s.db.Update(func(tx *bbolt.Tx) error {
			t := s.table(tx)
			for i, w := range begun {
				results[i] = w.do(t)
				if results[i] != nil && !unmet(results[i]) {
					broken = i
					return results[i]
				}
			}
			return nil
		})
		if broken >= 0 {
			begun[broken].done <- err
			begun = append(begun[:broken], begun[broken+1:]...)
			continue
		}
		if err != nil {
			s.state.Begin(err)
		}
		for i, w := range begun {
			w.done <- errors.Join(results[i], err)
		}
		return
	}
}

// unmet reports whether err means that a write changed nothing.
func unmet(err error) bool {
	return errors.Is(err, core.ErrConflict) || errors.Is(err, core.ErrNotFound)
}
