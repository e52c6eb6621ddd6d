package bolt

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// write is one caller's part of a transaction.
type write struct {
	do    func(table) error // checks everything before it writes anything
	done  chan error        // size 1
	state atomic.Int32
}

// The states of a write. Either the writer changes it from waiting, and does it, or
// the caller whose context has ended, and it is never done.
const (
	stateWaiting int32 = iota
	stateRunning
	stateCancelled
)

// The limits of one transaction, so that no caller waits long for others.
const (
	maxGroup      = 1024
	maxGroupBytes = 16 << 20
)

// overloadEnds is the time without refusals after which an overload has ended.
const overloadEnds = 5 * time.Second

// fail ends a write that has not begun.
func (w *write) fail(err error) {
	if w.state.CompareAndSwap(stateWaiting, stateRunning) {
		w.done <- err
	}
}

// Admit implements deploy.Store.
func (s *Store) Admit() error {
	if s.waiting.Full() {
		return s.overloaded()
	}
	return nil
}

// overloaded logs that a delivery is refused, unless others were refused just before.
func (s *Store) overloaded() error {
	s.overload.Begin(core.ErrOverloaded)
	return s.overload.Fail()
}

// update writes in a transaction that may have other writes. If ctx ends before the
// write has begun, it is never done. After that, update waits for its result.
func (s *Store) update(ctx context.Context, do func(table) error) error {
	return s.write(ctx, do, s.waiting.Add)
}

// admit is update for a delivery of that many bytes. It fails with
// core.ErrOverloaded at once if too many wait.
func (s *Store) admit(ctx context.Context, size int, do func(table) error) error {
	return s.write(ctx, do, func(w *write) error { return s.waiting.AddBounded(w, size) })
}

func (s *Store) write(ctx context.Context, do func(table) error, add func(*write) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.state.Fail(); err != nil {
		return err
	}
	w := &write{do: do, done: make(chan error, 1)}
	if err := add(w); errors.Is(err, core.ErrOverloaded) {
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

// writer is the only goroutine that writes. All waiting writes are done in one
// transaction with one sync. A single write is not delayed.
func (s *Store) writer(ctx context.Context) {
	for {
		if s.state.Err() != nil {
			s.awaitRecovery(ctx)
		}
		if s.waiting.Wait(ctx) != nil {
			return
		}
		s.commit(s.waiting.Take(maxGroup, maxGroupBytes))
		s.overload.EndAfter(overloadEnds)
	}
}

// commit does the writes of group in one transaction. If the precondition of a write
// is not met, only that write fails. If one fails later, it is removed, and the
// others are done again without it. If the transaction can not be committed, an
// outage begins.
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

// unmet reports whether err means that a write has changed nothing.
func unmet(err error) bool {
	return errors.Is(err, core.ErrConflict) || errors.Is(err, core.ErrNotFound)
}
