package httpapi

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// admission bounds the deliveries that are being accepted at a time. A few more
// wait for their turn, in the order in which they came, so that deliveries that come
// together are not refused; what is beyond is refused at once, before the senders'
// own time-outs, and so is one that has waited for long.
type admission struct {
	turns   chan struct{} // one element for each delivery that is being accepted
	most    int64         // deliveries that are being accepted or wait
	present atomic.Int64  // how many are or do
}

func newAdmission(atOnce, waiting int) *admission {
	return &admission{turns: make(chan struct{}, atOnce), most: int64(atOnce + waiting)}
}

// full reports whether enter would refuse a delivery now.
func (a *admission) full() bool { return a.present.Load() >= a.most }

// enter waits for the turn of a delivery, which lasts until leave is called. It
// fails with http:unavailable.
func (a *admission) enter(ctx context.Context) (leave func(), err error) {
	if a.present.Add(1) > a.most {
		a.present.Add(-1)
		return nil, core.NewError(core.CodeHTTPUnavailable, "", nil)
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

// turnPatience is how long a delivery waits for its turn. GitHub waits 10 s for
// the answer, of which the outcome should have most.
const turnPatience = 2 * time.Second
