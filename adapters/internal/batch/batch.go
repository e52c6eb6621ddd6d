// Package batch queues values to be written together: those that arrive during one
// write are written by the next. It limits the length of the queue.
package batch

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/nodejitsu/webhooks/adapters/internal/watchers"
	"github.com/nodejitsu/webhooks/core"
)

// ErrClosed is returned by Add if the Queue is not open.
var ErrClosed = errors.New("the store is not open")

// Queue is a queue of values to be written. It may be used concurrently.
type Queue[T any] struct {
	maxItems, maxBytes int
	wake               chan struct{} // size 1

	mu           sync.Mutex
	open         bool
	waiting      []item[T]
	items, bytes int // of the bounded items in waiting
}

type item[T any] struct {
	value   T
	size    int
	bounded bool
}

// New returns a Queue that is not open. It is full if it has maxItems bounded items,
// or bounded items of maxBytes together.
func New[T any](maxItems, maxBytes int) *Queue[T] {
	return &Queue[T]{maxItems: maxItems, maxBytes: maxBytes, wake: make(chan struct{}, 1)}
}

// Open opens the queue.
func (q *Queue[T]) Open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = true
}

// IsOpen reports whether the queue is open.
func (q *Queue[T]) IsOpen() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.open
}

// Close closes the queue and removes all values.
func (q *Queue[T]) Close() (removed []T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = false
	return q.take(len(q.waiting), q.bytes)
}

// Full reports whether Add would fail with core.ErrOverloaded.
func (q *Queue[T]) Full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.full()
}

func (q *Queue[T]) full() bool { return q.items >= q.maxItems || q.bytes >= q.maxBytes }

// Add adds a value that is not bounded. It fails with ErrClosed.
func (q *Queue[T]) Add(value T) error { return q.add(item[T]{value: value}) }

// AddBounded adds a value of that many bytes. It fails with ErrClosed and with
// core.ErrOverloaded.
func (q *Queue[T]) AddBounded(value T, size int) error {
	return q.add(item[T]{value: value, size: size, bounded: true})
}

func (q *Queue[T]) add(i item[T]) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.open:
		return ErrClosed
	case i.bounded && q.full():
		return core.ErrOverloaded
	case i.bounded:
		q.items++
		q.bytes += i.size
	}
	q.waiting = append(q.waiting, i)
	watchers.Signal(q.wake)
	return nil
}

// Wait waits until the queue is not empty. It fails with the error of ctx if ctx ends
// first.
func (q *Queue[T]) Wait(ctx context.Context) error {
	select {
	case <-q.wake:
	case <-ctx.Done():
		return ctx.Err()
	}
	// The scheduler runs next what a goroutine wakes. On one processor that is the
	// caller, before the other goroutines that are ready can add their values, so that
	// every value would be written alone. If they go first, one processor stores 6
	// times as many deliveries a second.
	runtime.Gosched()
	return nil
}

// Take removes and returns the oldest values, at most that many, and not more bytes
// unless the first one is larger.
func (q *Queue[T]) Take(items, bytes int) []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.take(items, bytes)
}

func (q *Queue[T]) take(items, bytes int) []T {
	n, size := 0, 0
	for n < len(q.waiting) && n < items && (n == 0 || size+q.waiting[n].size <= bytes) {
		size += q.waiting[n].size
		n++
	}
	taken := make([]T, n)
	for i, one := range q.waiting[:n] {
		taken[i] = one.value
		if one.bounded {
			q.items--
		}
	}
	q.bytes -= size
	if left := copy(q.waiting, q.waiting[n:]); left > 0 {
		watchers.Signal(q.wake)
	}
	clear(q.waiting[len(q.waiting)-n:])
	q.waiting = q.waiting[:len(q.waiting)-n]
	return taken
}
