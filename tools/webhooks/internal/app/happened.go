package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// follower records the events of the platform, which keeps them until they are
// recorded. So each is recorded once, whoever restarts in between.
type follower struct {
	client *nodejitsu.Client
	record func(context.Context, deploy.Happened) error
	log    *slog.Logger

	working sync.WaitGroup
	stop    context.CancelFunc
}

// start follows the events until end is called.
func (f *follower) start(ctx context.Context) {
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	f.working.Go(func() { f.follow(ctx) })
}

// end stops following.
func (f *follower) end() {
	f.stop()
	f.working.Wait()
}

const (
	eventWait = 30 * time.Second // how long a call waits for an event

	// The pauses after a failure.
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
)

func (f *follower) follow(ctx context.Context) {
	for pause := firstPause; ; {
		err := f.next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			pause = firstPause
			continue
		}
		// Once for an outage.
		if pause == firstPause {
			f.log.WarnContext(ctx, "events of the platform not recorded, trying again", "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// next records the next events.
func (f *follower) next(ctx context.Context) error {
	found, err := f.client.Events(ctx, eventWait)
	if err != nil {
		return err
	}
	for _, e := range found {
		if err := f.record(ctx, happened(e)); err != nil {
			return err
		}
		if err := f.client.RemoveEvents(ctx, e.Seq); err != nil {
			return err
		}
	}
	return nil
}

// happened returns an event of the platform as the use case records it.
func happened(e nodejitsu.Event) deploy.Happened {
	h := deploy.Happened{
		ID: e.ID, Event: e.Kind, User: e.User, App: e.App, By: e.By, Snapshot: e.Snapshot, Replaced: e.Replaced, URL: e.URL, Reason: e.Reason,
		RolledBack: e.Kind == nodejitsu.EventRolledBack,
	}
	switch {
	case e.Failure != nil:
		h.Failure = core.Explain(core.CodeStartApp, &core.Error{Code: e.Failure.Code, Reason: e.Failure.Reason, Detail: e.Failure.Detail})
	case e.Kind == nodejitsu.EventCrashed || h.RolledBack:
		h.Event = "crash"
		h.Failure = core.Explain(core.CodeAppCrashed, &core.Error{Code: core.CodeAppCrashed, Reason: e.Reason, Detail: e.Detail})
	}
	return h
}
