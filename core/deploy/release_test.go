package deploy_test

import (
	"context"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// between is a Store that does something once, after Find has read an entry.
type between struct {
	deploy.Store
	do func()
}

func (b *between) Find(ctx context.Context, id string) (core.Change, error) {
	change, err := b.Store.Find(ctx, id)
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return change, err
}

// If two releases of an entry read it at the same time, the second one to write
// is refused.
func TestReleasesAtTheSameTime(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.start()
		id := w.deliver(w.push(commit1))
		w.is(w.settled(id), core.StatusHeld, "")
		store := &between{Store: w.store, do: func() {
			if _, err := w.service.Release(w.t.Context(), "dscape", id); err != nil {
				t.Errorf("the first release: %v", err)
			}
		}}
		o := w.options
		o.Store = store
		if _, err := deploy.New(o).Release(w.t.Context(), "dscape", id); core.CodeOf(err) != core.CodeConflict {
			t.Errorf("the second release: got %v, want %s", err, core.CodeConflict)
		}
		w.is(w.settled(id), core.StatusOK, "")
		if got := len(w.platform.Starts()); got != 1 {
			t.Errorf("deployed %d times", got)
		}
	})
}
