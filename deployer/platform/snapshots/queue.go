package snapshots

import (
	"context"
	"slices"
	"sync"
)

// queue gives out the places for builds. No user gets all of them, so that one
// whose builds hang keeps nobody else from building; and of those who wait the
// next one is who has the fewest, so that one with many gets no more than others.
type queue struct {
	most int // places of one user

	mu      sync.Mutex
	free    int
	held    map[string]int // places by user
	waiting []*turn        // in the order in which they came
}

// turn is that of one build.
type turn struct {
	user string
	come chan struct{} // closed once it has a place
}

// newQueue returns a queue for so many builds at a time.
func newQueue(places int) *queue {
	return &queue{most: max(1, places-1), free: places, held: map[string]int{}}
}

// take returns once a build of the user has a place, which the caller releases.
// Where it has to wait, it first calls wait.
func (q *queue) take(ctx context.Context, user string, wait func()) error {
	t := &turn{user: user, come: make(chan struct{})}
	q.mu.Lock()
	q.waiting = append(q.waiting, t)
	q.call()
	q.mu.Unlock()
	select {
	case <-t.come:
		return nil
	default:
		wait()
	}
	select {
	case <-t.come:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, t); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		return ctx.Err()
	}
	return nil // it came just now
}

// release gives a place of the user back.
func (q *queue) release(user string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free++
	if q.held[user]--; q.held[user] == 0 {
		delete(q.held, user)
	}
	q.call()
}

// call gives the places that are free to those whose turn it is.
func (q *queue) call() {
	for q.free > 0 {
		next := -1
		for i, t := range q.waiting {
			if q.held[t.user] < q.most && (next < 0 || q.held[t.user] < q.held[q.waiting[next].user]) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		t := q.waiting[next]
		q.waiting = slices.Delete(q.waiting, next, next+1)
		q.free--
		q.held[t.user]++
		close(t.come)
	}
}
