package snapshots

import (
	"context"
	"slices"
	"sync"
)

// queue limits the number of concurrent builds. No user gets all of the slots, so
// that hanging builds of one user do not block the others. The next slot goes to
// the user with the fewest.
type queue struct {
	perUser int // slots of one user

	mu      sync.Mutex
	free    int
	used    map[string]int // slots by user
	waiting []*waiter      // in order of arrival
}

// waiter is a build that waits for a slot.
type waiter struct {
	user    string
	granted chan struct{} // closed once it has a slot
}

// newQueue returns a queue with the given number of slots.
func newQueue(slots int) *queue {
	return &queue{perUser: max(1, slots-1), free: slots, used: map[string]int{}}
}

// acquire waits until a build of the user has a slot, which the caller must
// release. If it has to wait, it first calls wait.
func (q *queue) acquire(ctx context.Context, user string, wait func()) error {
	w := &waiter{user: user, granted: make(chan struct{})}
	q.mu.Lock()
	q.waiting = append(q.waiting, w)
	q.grant()
	q.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	default:
		wait()
	}
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, w); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return ctx.Err()
	}
	return nil // it was granted just now
}

// release frees a slot of the user.
func (q *queue) release(user string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free++
	if q.used[user]--; q.used[user] == 0 {
		delete(q.used, user)
	}
	q.grant()
}

// grant assigns free slots to waiters.
func (q *queue) grant() {
	for q.free > 0 {
		next := -1
		for i, w := range q.waiting {
			if q.used[w.user] < q.perUser && (next < 0 || q.used[w.user] < q.used[q.waiting[next].user]) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := q.waiting[next]
		q.waiting = slices.Delete(q.waiting, next, next+1)
		q.free--
		q.used[w.user]++
		close(w.granted)
	}
}
