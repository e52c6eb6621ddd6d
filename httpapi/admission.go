package httpapi

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// admission bounds the deliveries that are being accepted at a time. Others wait for
// their turn, in the order in which they came, so that deliveries that come together are
// not refused; what is beyond is refused at once, before the senders' own time-outs, and
// so is one that has waited for long.
//
// If more deliveries keep coming than can be accepted, a long queue helps no sender: all are
// answered late, and those that wait need memory and processor time, without which more
// could be accepted. So after a refusal only a few may wait, until none was refused for
// turnPatience.
type admission struct {
	turns   chan struct{} // one element for each delivery that is being accepted
	waiting int64         // deliveries that may wait
	present atomic.Int64  // how many are being accepted or wait
	began   time.Time
	refused atomic.Int64 // when one was last refused for want of room: nanoseconds since began
}

// turnPatience is how long a delivery waits for its turn. GitHub waits 10 s for
// the answer, of which the outcome should have most.
const turnPatience = 2 * time.Second

// crowdWaiting is how many deliveries may wait after a refusal: enough for the next
// turns.
const crowdWaiting = 128

func newAdmission(atOnce, waiting int) *admission {
	a := &admission{turns: make(chan struct{}, atOnce), waiting: int64(waiting), began: time.Now()}
	a.refused.Store(int64(-turnPatience))
	return a
}

// check fails if enter would fail now for want of room.
func (a *admission) check() error {
	if a.present.Load() < a.most() {
		return nil
	}
	return a.refuse()
}

// most returns how many deliveries may be present.
func (a *admission) most() int64 {
	waiting := a.waiting
	if time.Since(a.began)-time.Duration(a.refused.Load()) < turnPatience {
		waiting = min(waiting, crowdWaiting)
	}
	return int64(cap(a.turns)) + waiting
}

func (a *admission) refuse() error {
	a.refused.Store(int64(time.Since(a.began)))
	return core.NewError(core.CodeHTTPUnavailable, "", nil)
}

// enter waits for the turn of a delivery, which lasts until leave is called. It
// fails with http:unavailable.
func (a *admission) enter(ctx context.Context) (leave func(), err error) {
	if a.present.Add(1) > a.most() {
		a.present.Add(-1)
		return nil, a.refuse()
	}
	select {
	case a.turns <- struct{}{}:
		return a.leave, nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, turnPatience)
	defer cancel()
	select {
	case a.turns <- struct{}{}:
		return a.leave, nil
	case <-ctx.Done():
		a.present.Add(-1)
		return nil, core.NewError(core.CodeHTTPUnavailable, "", ctx.Err())
	}
}

func (a *admission) leave() {
	<-a.turns
	a.present.Add(-1)
}
