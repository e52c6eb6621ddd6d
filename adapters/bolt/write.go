package bolt

import (
	"context"
	"errors"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// write is one caller's part of a transaction.
type write struct {
	do    func(table) error // checks everything before it writes anything
	done  chan error        // size 1
	state atomic.Int32
}

// The states of a write: whoever takes it from waiting decides whether it is
// done, the writer or the caller whose time is up.
const (
	waiting int32 = iota
	running
	cancelled
)

// maxGroup is how many writes share one transaction at most.
const maxGroup = 256

// update writes in a transaction that others may share. Where ctx ends before
// the write has begun, it is never done; once it has, its result is waited for.
func (s *Store) update(ctx context.Context, do func(table) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.Check(ctx); err != nil {
		return err
	}
	w := &write{do: do, done: make(chan error, 1)}
	select {
	case s.writes <- w:
	case <-s.gone:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		if w.state.CompareAndSwap(waiting, cancelled) {
			return ctx.Err()
		}
		return <-w.done
	}
}

// writer is the one goroutine that writes. It takes whatever waits at the
// moment into one transaction, and so one sync: alone, a write is not delayed.
func (s *Store) writer(ctx context.Context) {
	defer close(s.gone)
	for {
		var group []*write
		select {
		case w := <-s.writes:
			group = append(group, w)
		case <-ctx.Done():
			return
		}
		for len(group) < maxGroup {
			select {
			case w := <-s.writes:
				group = append(group, w)
				continue
			default:
			}
			break
		}
		if err := s.commit(group); err != nil {
			s.heal(ctx)
		}
	}
}

// commit does the writes of group in one transaction. A write that finds its
// precondition unmet fails alone; one that breaks in the middle is taken out
// and the others are done again without it. It fails where the disk does not
// take the transaction.
func (s *Store) commit(group []*write) error {
	live := group[:0]
	for _, w := range group {
		if w.state.CompareAndSwap(waiting, running) {
			live = append(live, w)
		}
	}
	for len(live) > 0 {
		results := make([]error, len(live))
		breaker := -1
		err := s.db.Update(func(tx *bbolt.Tx) error {
			for i, w := range live {
				results[i] = w.do(table{tx})
				if results[i] != nil && !unmet(results[i]) {
					breaker = i
					return results[i]
				}
			}
			return nil
		})
		if breaker >= 0 {
			live[breaker].done <- err
			live = append(live[:breaker], live[breaker+1:]...)
			continue
		}
		if err != nil {
			// What a later try would write on top of is not known any more,
			// so nothing is written again before the file was read anew.
			s.o.Logger.Error("the store failed to commit and stops writing", "path", s.o.Path, "error", err)
			s.found(err)
		}
		for i, w := range live {
			w.done <- errors.Join(results[i], err)
		}
		return err
	}
	return nil
}

// unmet tells whether err means that a write changed nothing.
func unmet(err error) bool {
	return errors.Is(err, core.ErrConflict) || errors.Is(err, core.ErrNotFound)
}
