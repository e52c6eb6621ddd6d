package deploy

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Causes for which an attempt is aborted.
var (
	errStopping  = errors.New("the worker is stopping")
	errClaimLost = errors.New("the claim was lost")
)

// maxLost is how often an attempt at an entry may end by an expired claim, as it
// does if it crashes the process, before the entry fails.
const maxLost = 5

// Worker claims entries from the queue and brings them to their outcome.
type Worker struct {
	*engine
	slots chan struct{} // a token for each concurrent attempt
	freed chan struct{} // size 1: an attempt ended, so its lane is free

	stopClaiming  context.CancelFunc
	abort         context.CancelCauseFunc
	claiming      sync.WaitGroup
	attempts      sync.WaitGroup
	notifications *notifications
}

// NewWorker returns a Worker that is not started.
func NewWorker(o Options) *Worker {
	e := newEngine(o)
	return &Worker{engine: e, slots: make(chan struct{}, e.Workers), freed: make(chan struct{}, 1)}
}

// Start claims entries until Stop. The end of ctx does not end it.
func (w *Worker) Start(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	claim, stopClaiming := context.WithCancel(ctx)
	work, abort := context.WithCancelCause(ctx)
	w.stopClaiming, w.abort, w.notifications = stopClaiming, abort, newNotifications(ctx, w.engine)
	w.notifications.start()
	w.claiming.Go(func() { w.run(claim, work) })
	return nil
}

// Stop claims nothing more and waits for the attempts that are under way. Those
// that are not done when ctx ends are aborted and requeued, so that another
// worker can claim them at once. It may be called without Start.
func (w *Worker) Stop(ctx context.Context) error {
	if w.stopClaiming == nil {
		return nil
	}
	w.stopClaiming()
	w.claiming.Wait()
	done := make(chan struct{})
	go func() { w.attempts.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		w.abort(errStopping)
		<-done
	}
	w.abort(errStopping)
	w.notifications.stop(ctx)
	return nil
}

// run claims entries until claim ends. Attempts run under work.
func (w *Worker) run(claim, work context.Context) {
	failing := false // and logged
	for {
		select {
		case w.slots <- struct{}{}:
		case <-claim.Done():
			return
		}
		begin := time.Now() // the lease begins no earlier
		c, found, next, err := w.Queue.Claim(claim, w.Lease)
		w.Observer.StoreCall("claim", time.Since(begin), err)
		if err == nil && found {
			w.attempts.Go(func() {
				w.handle(work, c, begin)
				<-w.slots
				select {
				case w.freed <- struct{}{}:
				default:
				}
			})
			continue
		}
		<-w.slots
		if err != nil && claim.Err() == nil && !failing {
			w.Logger.ErrorContext(claim, "claiming failed", "error", err)
		}
		failing = err != nil
		if !w.idle(claim, next) {
			return
		}
	}
}

// The bounds of how long a worker waits that found nothing to claim: leases
// expire and signals get lost, and a wrong time must not keep it busy.
const (
	longestIdle  = 2 * time.Second
	shortestIdle = 100 * time.Millisecond
)

// idle waits until there may be something to claim. It returns false when claim
// ends.
func (w *Worker) idle(claim context.Context, next time.Time) bool {
	wait := longestIdle
	if !next.IsZero() {
		wait = min(max(next.Sub(w.Now()), shortestIdle), longestIdle)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-w.Queue.Ready():
	case <-w.freed:
	case <-timer.C:
	case <-claim.Done():
		return false
	}
	return true
}

// handle makes one attempt at an entry and renews the claim, which was made at
// the given time by the monotonic clock, meanwhile.
func (w *Worker) handle(ctx context.Context, c Claim, claimed time.Time) {
	ctx, cancel := context.WithCancelCause(ctx)
	a := newAttempt(w.engine, c, w.notifications)
	ctx, ended := w.Tracer.Attempt(ctx, a.get())
	var renewing sync.WaitGroup
	stop := make(chan struct{})
	renewing.Go(func() { w.renew(ctx, a, claimed, stop, cancel) })
	err := w.try(ctx, a)
	close(stop)
	renewing.Wait()
	cancel(nil)
	ended(a.get(), err)
	if err != nil {
		w.Logger.ErrorContext(ctx, "attempt aborted", "entry_id", c.Change.Entry.ID,
			"uuid", c.Change.Entry.UUID, "attempt", c.Attempt, "error", err)
	}
}

// try runs the attempt. A panic is a failure: it must not end the process, nor
// happen again for ever.
func (w *Worker) try(ctx context.Context, a *attempt) (err error) {
	defer func() {
		if p := recover(); p != nil {
			e := a.claim.Change.Entry
			w.Logger.ErrorContext(ctx, "attempt panicked", "entry_id", e.ID, "uuid", e.UUID,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = a.conclude(ctx, failure(core.NewError(core.CodeInternal, "", fmt.Errorf("panic: %v", p))))
		}
	}()
	return a.run(ctx)
}

// renew renews the claim until stop. If the claim is lost, or could not be renewed
// for two thirds of its lease, the attempt is aborted before another one may have
// begun. It measures the lease by the monotonic clock: [Options.Now] may be set.
func (w *Worker) renew(ctx context.Context, a *attempt, renewed time.Time, stop <-chan struct{}, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(w.Lease / 6)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// The lease begins at some time during the call; and a call that takes longer
		// than the claim is certain to last renews nothing.
		begin := time.Now()
		left := w.certain() - begin.Sub(renewed)
		call, done := context.WithTimeout(ctx, min(w.StoreTimeout, max(left, 0)))
		newest, err := w.Queue.Renew(call, a.claim, w.Lease)
		done()
		w.Observer.StoreCall("renew", time.Since(begin), err)
		switch {
		case err == nil:
			renewed = begin
			a.noteNewest(newest)
		case errors.Is(err, core.ErrConflict), time.Since(renewed) >= w.certain():
			cancel(fmt.Errorf("%w: %w", errClaimLost, err))
			return
		}
	}
}
