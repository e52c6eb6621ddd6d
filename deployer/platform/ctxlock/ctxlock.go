// Package ctxlock has a lock that is waited for only as long as a context lasts.
package ctxlock

import "context"

// Lock is held by at most as many as New says.
type Lock chan struct{}

// New returns a Lock for n holders; 1 makes it a mutex.
func New(n int) Lock { return make(Lock, n) }

// Acquire waits for the lock, and fails with ctx's error when ctx ends.
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

// Held reports whether nobody else can acquire the lock now.
func (l Lock) Held() bool { return len(l) == cap(l) }
