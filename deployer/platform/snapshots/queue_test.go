package snapshots

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

// The user with the fewest slots is next; among equals, the first to wait.
func TestQueueIsFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(3)
		var granted []string
		acquire := func(ctx context.Context, user string) {
			go func() {
				if q.acquire(ctx, user, func() {}) == nil {
					granted = append(granted, user)
				}
			}()
			synctest.Wait()
		}
		wantGranted := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(granted, want) {
				t.Errorf("slots granted to %q, want %q", granted, want)
			}
			granted = nil
		}
		for range 4 {
			acquire(t.Context(), "eve")
		}
		wantGranted("eve", "eve") // one slot is left for others
		acquire(t.Context(), "me")
		wantGranted("me")
		gone, cancel := context.WithCancel(t.Context())
		acquire(gone, "gone")
		acquire(t.Context(), "me")
		acquire(t.Context(), "you")
		cancel()
		wantGranted()
		q.release("eve")
		wantGranted("you") // eve waited longer, but has a slot
		q.release("me")
		wantGranted("me")
		q.release("you")
		wantGranted("eve") // me has a slot as well; eve waited longer
		q.release("eve")
		q.release("eve")
		wantGranted("eve")
		q.release("me")
		q.release("eve")
		if q.free != 3 || len(q.used)+len(q.waiting) != 0 {
			t.Errorf("at the end: %d slots free, used %v, waiting %v", q.free, q.used, q.waiting)
		}
	})
}

// A single slot can be used by every user.
func TestQueueWithOneSlot(t *testing.T) {
	t.Parallel()
	q := newQueue(1)
	for range 2 {
		if err := q.acquire(t.Context(), "me", func() { t.Error("acquire waits for a free slot") }); err != nil {
			t.Fatal(err)
		}
		q.release("me")
	}
}
