package batch_test

import (
	"errors"
	"slices"
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
		select {
		case <-q.Wake():
		default:
			if len(test.want) > 0 {
				t.Error("no signal")
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
