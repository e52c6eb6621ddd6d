package snapshots

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

// Who has the fewest places comes next, and among equals who came first.
func TestQueueIsFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(3)
		var came []string
		take := func(ctx context.Context, user string) {
			go func() {
				if q.acquire(ctx, user, func() {}) == nil {
					came = append(came, user)
				}
			}()
			synctest.Wait()
		}
		has := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(came, want) {
				t.Errorf("places have %q, want %q", came, want)
			}
			came = nil
		}
		for range 4 {
			take(t.Context(), "eve")
		}
		has("eve", "eve") // one is left for others
		take(t.Context(), "me")
		has("me")
		gone, cancel := context.WithCancel(t.Context())
		take(gone, "gone")
		take(t.Context(), "me")
		take(t.Context(), "you")
		cancel()
		has()
		q.release("eve")
		has("you") // eve came earlier, and has one
		q.release("me")
		has("me")
		q.release("you")
		has("eve") // as has she; she came earlier
		q.release("eve")
		q.release("eve")
		has("eve")
		q.release("me")
		q.release("eve")
		if q.free != 3 || len(q.used)+len(q.waiting) != 0 {
			t.Errorf("in the end: %d places, %v, %v", q.free, q.used, q.waiting)
		}
	})
}

// One place is everybody's.
func TestQueueOfOne(t *testing.T) {
	t.Parallel()
	q := newQueue(1)
	for range 2 {
		if err := q.acquire(t.Context(), "me", func() { t.Error("it waits") }); err != nil {
			t.Fatal(err)
		}
		q.release("me")
	}
}
