package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// notifications tells outcomes to the Notifiers, beside the attempts: nobody
// has to wait for them, and what they come to changes no outcome.
type notifications struct {
	o      Options
	ctx    context.Context //nolint:containedctx // that of the worker
	cancel context.CancelFunc
	ending chan struct{} // closed when nothing is tried again
	once   sync.Once
	work   sync.WaitGroup

	mu      sync.Mutex
	telling map[string]int // by id of the entry: how many of its outcomes are being told
}

func newNotifications(ctx context.Context, o Options) *notifications {
	if len(o.Notifiers) == 0 {
		o.Outbox = nil // nobody hears what is owed
	}
	n := &notifications{o: o, ending: make(chan struct{}), telling: map[string]int{}}
	n.ctx, n.cancel = context.WithCancel(ctx)
	return n
}

// start begins to tell what others owe.
func (n *notifications) start() {
	if n.o.Outbox != nil {
		n.work.Go(n.takeOver)
	}
}

// add notes that an outcome, which is about to be saved, is to be notified.
func (n *notifications) add(ctx context.Context, id string) error {
	if n.o.Outbox == nil {
		return nil
	}
	return n.o.persist(ctx, "noting what is to be told", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, n.o.StoreTimeout)
		defer cancel()
		return n.o.Outbox.Add(ctx, id, n.o.Lease)
	})
}

// tell tells an outcome, each Notifier by itself.
func (n *notifications) tell(e core.Entry) {
	n.mu.Lock()
	n.telling[e.ID]++
	n.mu.Unlock()
	n.work.Go(func() {
		var telling sync.WaitGroup
		var owed atomic.Bool
		for _, to := range n.o.Notifiers {
			telling.Go(func() {
				if !n.try(to.Name(), e, 0, func(ctx context.Context) error { return to.Notify(ctx, e) }) {
					owed.Store(true)
				}
			})
		}
		telling.Wait()
		n.over(e, !owed.Load())
	})
}

// over ends the telling of an outcome.
func (n *notifications) over(e core.Entry, told bool) {
	n.mu.Lock()
	n.telling[e.ID]--
	if n.telling[e.ID] == 0 {
		delete(n.telling, e.ID)
	}
	n.mu.Unlock()
	if n.o.Outbox == nil {
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, n.o.StoreTimeout)
	defer cancel()
	if err := n.settle(ctx, e, told); err != nil {
		n.o.Logger.WarnContext(ctx, "outcome may be told again", "entry_id", e.ID, "error", err)
	}
}

// settle makes an outcome that all have heard, or were given up, owed no more;
// any other is whose who comes first. Where the entry was taken up again since,
// what is owed is the newer outcome, and the affair of its attempt.
func (n *notifications) settle(ctx context.Context, e core.Entry, told bool) error {
	change, err := n.o.Store.Find(ctx, e.ID)
	switch {
	case err == nil && change.Entry.Attempts != e.Attempts:
		return nil
	case err != nil && !errors.Is(err, core.ErrNotFound):
		return err
	case told:
		return n.o.Outbox.Done(ctx, e.ID)
	}
	return n.o.Outbox.Add(ctx, e.ID, 0)
}

// takeOver tells what a process that died, or was stopped, owes, and keeps
// others from telling what this one does.
func (n *notifications) takeOver() {
	ticker := time.NewTicker(n.o.Lease / 6)
	defer ticker.Stop()
	for {
		if err := n.tellOwed(); err != nil && n.ctx.Err() == nil {
			n.o.Logger.ErrorContext(n.ctx, "outcomes not told", "error", err)
		}
		select {
		case <-ticker.C:
		case <-n.ending:
			return
		}
	}
}

// tellOwed tells what nobody tells. What has no outcome yet is told by its
// attempt, and comes again where that dies.
func (n *notifications) tellOwed() error {
	ctx, cancel := context.WithTimeout(n.ctx, n.o.StepTimeout)
	defer cancel()
	n.mu.Lock()
	telling := slices.Collect(maps.Keys(n.telling))
	n.mu.Unlock()
	owed, err := n.o.Outbox.Claim(ctx, telling, n.o.Lease)
	if err != nil {
		return fmt.Errorf("reading what is to be told: %w", err)
	}
	for _, id := range owed {
		change, err := n.o.Store.Find(ctx, id)
		switch {
		case errors.Is(err, core.ErrNotFound):
			err = n.o.Outbox.Done(ctx, id)
		case err == nil && change.Entry.Status.Outcome():
			n.tell(change.Entry)
		}
		if err != nil {
			return fmt.Errorf("telling what became of %s: %w", id, err)
		}
	}
	return nil
}

// again tries once more, after a while, what failed for now.
func (n *notifications) again(name string, e core.Entry, failed error, tell func(context.Context) error) {
	n.work.Go(func() {
		if n.pause(0, failed) {
			n.try(name, e, 1, tell)
			return
		}
		n.missed(name, e, 1, failed)
	})
}

// try tries as often as a deployment is tried; false where it was broken off
// before that.
func (n *notifications) try(name string, e core.Entry, failures int, tell func(context.Context) error) (over bool) {
	for ; ; failures++ {
		ctx, cancel := context.WithTimeout(n.ctx, n.o.StepTimeout)
		err := tell(ctx)
		cancel()
		if err == nil {
			return true
		}
		if !n.pause(failures, err) {
			n.missed(name, e, failures+1, err)
			return !n.isEnding()
		}
	}
}

func (n *notifications) isEnding() bool {
	select {
	case <-n.ending:
		return true
	default:
		return false
	}
}

// pause waits until the next try; false where there is none.
func (n *notifications) pause(failures int, err error) bool {
	after, passes := core.Retryable(err)
	if !passes || failures >= len(n.o.RetryDelays) {
		return false
	}
	wait := time.NewTimer(max(after, n.o.RetryDelays[failures]))
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-n.ending:
		return false
	}
}

func (n *notifications) missed(name string, e core.Entry, tries int, err error) {
	n.o.Logger.ErrorContext(n.ctx, "outcome not told", "to", name, "entry_id", e.ID, "uuid", e.UUID, "tries", tries, "error", err)
}

// end waits for what is being told, as long as ctx lasts; nothing is tried again.
func (n *notifications) end(ctx context.Context) {
	n.once.Do(func() { close(n.ending) })
	defer context.AfterFunc(ctx, n.cancel)()
	n.work.Wait()
	n.cancel()
}
