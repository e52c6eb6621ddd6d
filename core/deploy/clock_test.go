package deploy_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// setClock gives the world a clock that is ahead of the real one by what the
// returned number says.
func (w *world) setClock() (ahead *atomic.Int64) {
	ahead = new(atomic.Int64)
	now := func() time.Time { return time.Now().UTC().Add(time.Duration(ahead.Load())) }
	w.store = coretest.NewMemory(now, 0)
	o := &w.options
	o.Store, o.Queue, o.Watcher, o.Now = w.store, w.store, w.store, now
	var ids atomic.Int64
	o.NewID = func() string { return fmt.Sprintf("%012x%020x", now().UnixMilli(), ids.Add(1)) }
	w.service, w.worker = deploy.New(*o), deploy.NewWorker(*o)
	return ahead
}

// Whatever a clock that was ahead wrote, and whatever a sender says of time: the
// push that comes next is deployed.
func TestPushAfterClockSetBack(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ clock, sender time.Duration }{
		"clock ahead":        {clock: time.Hour},
		"sender ahead":       {sender: 24 * time.Hour},
		"both ahead":         {clock: 48 * time.Hour, sender: 24 * time.Hour},
		"sender far ahead":   {sender: 10000 * time.Hour},
		"clock behind":       {clock: -48 * time.Hour},
		"clock ahead by day": {clock: 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				ahead := w.setClock()
				ahead.Store(int64(test.clock))
				w.start()
				first := w.push(commit1)
				first.PushedAt = time.Now().UTC().Add(test.sender).Truncate(time.Second)
				w.is(w.settled(w.deliver(first, "X-Github-Delivery", "1")), core.StatusOK, "")
				ahead.Store(0)
				<-time.After(time.Second)
				for i, commit := range []string{commit2, commit3} {
					next := w.push(commit)
					next.PushedAt = time.Now().UTC().Truncate(time.Second)
					w.is(w.settled(w.deliver(next, "X-Github-Delivery", fmt.Sprint(i+2))), core.StatusOK, "")
				}
				if starts := w.platform.Starts(); len(starts) != 3 || !strings.HasSuffix(starts[2], commit3[:12]) {
					t.Errorf("started %v", starts)
				}
			})
		})
	}
}

// A retry and a hold that a clock which was ahead wrote do not wait for it.
func TestDelaysAfterClockSetBack(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		ahead := w.setClock()
		ahead.Store(int64(24 * time.Hour))
		w.waiting(commit2)
		w.forge.Fail("File", core.Transient(errors.New("later"), time.Hour))
		w.start()
		retried := w.push(commit1)
		retried.Branch, retried.Ref = "other", "refs/heads/other"
		request := w.request(retried)
		request.Target.Branch = "other"
		retry := w.accept(request).Change.Entry.ID
		w.is(w.settled(retry), core.StatusPending, "Asked to wait")
		held := w.deliver(w.push(commit2))
		w.is(w.settled(held), core.StatusHeld, "")
		ahead.Store(0)
		w.is(w.after(5*time.Second, retry), core.StatusOK, "")
		e := w.settled(held)
		w.is(e, core.StatusHeld, "")
		if left := time.Until(e.Hold.Until); left > 30*time.Minute {
			t.Errorf("it is held for another %s, want half an hour at most", left)
		}
		w.is(w.after(31*time.Minute, held), core.StatusSkipped, "did not come within")
	})
}
