// Package ctxlock provides a lock whose acquisition a context can cancel.
package ctxlock

import "context"

// Lock is a semaphore with the number of holders that New sets.
type Lock chan struct{}

// New returns a Lock for n holders; 1 makes it a mutex.
func New(n int) Lock { return make(Lock, n) }

// Acquire waits for the lock. It fails with ctx's error if ctx ends first.
func (l Lock) Acquire(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TryAcquire acquires the lock if it is free, and reports whether it did.
func (l Lock) TryAcquire() bool {
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

// Release releases the lock, which must be held.
func (l Lock) Release() { <-l }

// Held reports whether the lock has all its holders, so that Acquire would wait.
func (l Lock) Held() bool { return len(l) == cap(l) }
