package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core/deploy"
)

// maxHappened is how many events of the platform may wait to be recorded.
const maxHappened = 1000

// happenings are the events of the embedded platform on their way to the log of
// deliveries. The platform exists before the use case that records them.
type happenings struct {
	log     *slog.Logger
	waiting chan deploy.Happened
	working sync.WaitGroup
	stop    context.CancelFunc
}

func newHappenings(log *slog.Logger) *happenings {
	return &happenings{log: log, waiting: make(chan deploy.Happened, maxHappened), stop: func() {}}
}

// add adds an event. It does not block. It does nothing if h is nil: then no log of
// deliveries is in this process.
func (h *happenings) add(e deploy.Happened) {
	if h == nil {
		return
	}
	select {
	case h.waiting <- e:
	default:
		h.log.Error("event of the platform not recorded", "user", e.User, "app", e.App, "event", e.Event, "error", "too many wait")
	}
}

// start records the events with record, until stop is called.
func (h *happenings) start(ctx context.Context, record func(context.Context, deploy.Happened) error) {
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.working.Go(func() {
		for {
			select {
			case e := <-h.waiting:
				h.record(ctx, e, record)
			case <-ctx.Done():
				return
			}
		}
	})
}

// The pauses between two tries to record an event.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
)

// record records an event, as soon as the store can.
func (h *happenings) record(ctx context.Context, e deploy.Happened, record func(context.Context, deploy.Happened) error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := record(ctx, e)
		if err == nil {
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			h.log.Error("event of the platform not recorded", "user", e.User, "app", e.App, "event", e.Event, "error", err)
			return
		}
	}
}

// end stops recording.
func (h *happenings) end() {
	h.stop()
	h.working.Wait()
}
