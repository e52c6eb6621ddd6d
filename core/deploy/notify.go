package deploy

import (
	"context"
	"sync"
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
}

func newNotifications(ctx context.Context, o Options) *notifications {
	n := &notifications{o: o, ending: make(chan struct{})}
	n.ctx, n.cancel = context.WithCancel(ctx)
	return n
}

// tell tells an outcome, each Notifier by itself.
func (n *notifications) tell(e core.Entry) {
	for _, to := range n.o.Notifiers {
		n.work.Go(func() {
			n.try(to.Name(), e, 0, func(ctx context.Context) error { return to.Notify(ctx, e) })
		})
	}
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

// try tries as often as a deployment is tried.
func (n *notifications) try(name string, e core.Entry, failures int, tell func(context.Context) error) {
	for ; ; failures++ {
		ctx, cancel := context.WithTimeout(n.ctx, n.o.StepTimeout)
		err := tell(ctx)
		cancel()
		if err == nil {
			return
		}
		if !n.pause(failures, err) {
			n.missed(name, e, failures+1, err)
			return
		}
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
