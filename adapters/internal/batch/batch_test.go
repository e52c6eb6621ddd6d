package batch_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/internal/batch"
	"github.com/nodejitsu/webhooks/core"
)

func TestQueue(t *testing.T) {
	t.Parallel()
	q := batch.New[int](3, 100)
	if err := q.Add(0); !errors.Is(err, batch.ErrClosed) || q.IsOpen() {
		t.Errorf("before Open: %v", err)
	}
	q.Open()
	for i := range 3 {
		if err := q.AddBounded(i, 10); err != nil {
			t.Error(err)
		}
	}
	if err := q.AddBounded(3, 10); !errors.Is(err, core.ErrOverloaded) || !q.Full() {
		t.Errorf("the fourth: %v", err)
	}
	if err := q.Add(4); err != nil { // it is not bounded
		t.Error(err)
	}
	for _, test := range []struct {
		items, bytes int
		want         []int
	}{
		{1, 1000, []int{0}},
		{10, 5, []int{1}}, // alone, it may have more
		{10, 1000, []int{2, 4}},
		{10, 1000, []int{}},
	} {
		if len(test.want) > 0 {
			if err := q.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if got := q.Take(test.items, test.bytes); !slices.Equal(got, test.want) {
			t.Errorf("got %v, want %v", got, test.want)
		}
	}
	// A single item may be larger than the limit.
	if err := q.AddBounded(5, 1000); err != nil {
		t.Error(err)
	}
	if err := q.AddBounded(6, 1); !errors.Is(err, core.ErrOverloaded) {
		t.Errorf("beside a large one: %v", err)
	}
	if got := q.Close(); !slices.Equal(got, []int{5}) || q.Full() {
		t.Errorf("left were %v", got)
	}
	if err := q.AddBounded(7, 1); !errors.Is(err, batch.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// On one processor too, values that are added at the same time are taken together,
// although each caller waits until its own is written.
func TestWaitOnOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const callers = 64
	q := batch.New[chan struct{}](callers, callers)
	q.Open()
	ctx, cancel := context.WithCancel(t.Context())
	batches := 0
	var writer, group sync.WaitGroup
	writer.Go(func() {
		for q.Wait(ctx) == nil {
			taken := q.Take(callers, callers)
			if len(taken) > 0 {
				batches++
			}
			for _, done := range taken {
				close(done)
			}
		}
	})
	for range callers {
		group.Go(func() {
			done := make(chan struct{})
			if err := q.Add(done); err != nil {
				t.Error(err)
				return
			}
			<-done
		})
	}
	group.Wait()
	cancel()
	writer.Wait()
	if batches > callers/4 {
		t.Errorf("%d values were taken in %d parts", callers, batches)
	}
}
