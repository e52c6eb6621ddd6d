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

// notifications sends outcomes to the Notifiers, beside the attempts: no attempt
// waits for them, and a failure changes no outcome. What was not sent when the process
// ends is in the Outbox, and another process sends it.
type notifications struct {
	*engine
	ctx      context.Context //nolint:containedctx // of the worker
	cancel   context.CancelFunc
	stopping chan struct{} // closed when nothing is retried any more
	once     sync.Once
	work     sync.WaitGroup

	mu      sync.Mutex
	sending map[string]int // entry id → how many of its outcomes are being sent
}

func newNotifications(ctx context.Context, e *engine) *notifications {
	n := &notifications{engine: e, stopping: make(chan struct{}), sending: map[string]int{}}
	n.ctx, n.cancel = context.WithCancel(ctx)
	return n
}

// start begins to send what other processes left behind.
func (n *notifications) start() {
	if n.Outbox != nil {
		n.work.Go(n.takeOver)
	}
}

// add notes that the outcome of an entry, which is about to be saved, is to be
// sent.
func (n *notifications) add(ctx context.Context, id string) error {
	if n.Outbox == nil {
		return nil
	}
	return n.retry(ctx, "add to outbox", func(ctx context.Context) error { return n.Outbox.Add(ctx, id, n.Lease) })
}

// send sends an outcome to each Notifier.
func (n *notifications) send(e core.Entry) {
	n.mu.Lock()
	n.sending[e.ID]++
	n.mu.Unlock()
	n.work.Go(func() {
		var sending sync.WaitGroup
		var left atomic.Bool
		for _, to := range n.Notifiers {
			sending.Go(func() {
				if !n.try(to.Name(), e, 0, func(ctx context.Context) error { return to.Notify(ctx, e) }) {
					left.Store(true)
				}
			})
		}
		sending.Wait()
		n.sent(e, !left.Load())
	})
}

// sent ends the sending of an outcome. all reports whether nothing is left to do.
func (n *notifications) sent(e core.Entry, all bool) {
	n.mu.Lock()
	n.sending[e.ID]--
	if n.sending[e.ID] == 0 {
		delete(n.sending, e.ID)
	}
	n.mu.Unlock()
	if n.Outbox == nil {
		return
	}
	if err := n.settle(e, all); err != nil {
		n.Logger.WarnContext(n.ctx, "notification may be repeated", "entry_id", e.ID, "error", err)
	}
}

// settle removes an outcome from the outbox, or leaves it to whoever claims it
// first. If the entry has had another attempt since, the outbox has its newer
// outcome, which is the matter of that attempt.
func (n *notifications) settle(e core.Entry, all bool) error {
	change, err := n.lookup(n.ctx, e.ID)
	switch {
	case err == nil && change.Entry.Attempts != e.Attempts:
		return nil
	case err != nil && !errors.Is(err, core.ErrNotFound):
		return err
	case all:
		return n.done(n.ctx, e.ID)
	}
	return n.call(n.ctx, "add to outbox", func(ctx context.Context) error { return n.Outbox.Add(ctx, e.ID, 0) })
}

func (n *notifications) done(ctx context.Context, id string) error {
	return n.call(ctx, "remove from outbox", func(ctx context.Context) error { return n.Outbox.Done(ctx, id) })
}

// takeOver sends what a process that died or was stopped left in the outbox, and
// renews the leases of what this one sends.
func (n *notifications) takeOver() {
	ticker := time.NewTicker(n.Lease / 6)
	defer ticker.Stop()
	for {
		if err := n.claimOutbox(); err != nil && n.ctx.Err() == nil {
			n.Logger.ErrorContext(n.ctx, "reading the outbox failed", "error", err)
		}
		select {
		case <-ticker.C:
		case <-n.stopping:
			return
		}
	}
}

// claimOutbox sends the outcomes in the outbox that no process sends. An entry without
// an outcome is at work; it comes again if its worker dies.
func (n *notifications) claimOutbox() error {
	ctx, cancel := context.WithTimeout(n.ctx, n.StepTimeout)
	defer cancel()
	n.mu.Lock()
	sending := slices.Collect(maps.Keys(n.sending))
	n.mu.Unlock()
	ids, err := n.Outbox.Claim(ctx, sending, n.Lease)
	if err != nil {
		return fmt.Errorf("claiming outcomes: %w", err)
	}
	for _, id := range ids {
		change, err := n.lookup(ctx, id)
		switch {
		case errors.Is(err, core.ErrNotFound):
			err = n.done(ctx, id)
		case err == nil && change.Entry.Status.Outcome():
			n.send(change.Entry)
		}
		if err != nil {
			return fmt.Errorf("reading the outcome of %s: %w", id, err)
		}
	}
	return nil
}

// again tries once more, after a while, what failed for now.
func (n *notifications) again(name string, e core.Entry, err error, f func(context.Context) error) {
	n.work.Go(func() {
		if n.pause(0, err) {
			n.try(name, e, 1, f)
			return
		}
		n.gaveUp(name, e, 1, err)
	})
}

// try calls f as often as a deployment is attempted. It returns false if it was
// stopped before it succeeded or gave up.
func (n *notifications) try(name string, e core.Entry, failures int, f func(context.Context) error) (over bool) {
	for ; ; failures++ {
		ctx, cancel := context.WithTimeout(n.ctx, n.StepTimeout)
		err := f(ctx)
		cancel()
		if err == nil {
			return true
		}
		if !n.pause(failures, err) {
			n.gaveUp(name, e, failures+1, err)
			return !n.isStopping()
		}
	}
}

func (n *notifications) isStopping() bool {
	select {
	case <-n.stopping:
		return true
	default:
		return false
	}
}

// pause waits until the next try. It returns false if there is none.
func (n *notifications) pause(failures int, err error) bool {
	after, again := core.Retryable(err)
	if !again || failures >= len(n.RetryDelays) {
		return false
	}
	wait := time.NewTimer(max(after, n.RetryDelays[failures]))
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-n.stopping:
		return false
	}
}

func (n *notifications) gaveUp(name string, e core.Entry, tries int, err error) {
	n.Logger.ErrorContext(n.ctx, "notification failed", "to", name, "entry_id", e.ID, "uuid", e.UUID, "tries", tries, "error", err)
}

// stop waits for what is being sent, until ctx ends. Nothing is retried any more.
func (n *notifications) stop(ctx context.Context) {
	n.once.Do(func() { close(n.stopping) })
	defer context.AfterFunc(ctx, n.cancel)()
	n.work.Wait()
	n.cancel()
}
