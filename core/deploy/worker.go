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

// Causes for which an attempt is broken off.
var (
	errStopping  = errors.New("the worker is stopping")
	errClaimLost = errors.New("the claim was lost to somebody else")
)

// maxLost is how often an entry may lose its worker without a word, as one
// does that crashes the process, before it is given up.
const maxLost = 5

// Worker takes entries from the queue and brings them to their outcome.
type Worker struct {
	o     Options
	slots chan struct{} // one token for each attempt at a time
	freed chan struct{} // size 1: an attempt ended, so its lane is free

	stopClaiming context.CancelFunc
	breakOff     context.CancelCauseFunc
	claiming     sync.WaitGroup
	attempts     sync.WaitGroup
	told         *notifications
}

// NewWorker returns a Worker that is not started.
func NewWorker(o Options) *Worker {
	o = o.withDefaults()
	return &Worker{o: o, slots: make(chan struct{}, o.Workers), freed: make(chan struct{}, 1)}
}

// Start begins to claim entries, until Stop: the end of ctx ends nothing.
func (w *Worker) Start(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	claim, stopClaiming := context.WithCancel(ctx)
	work, breakOff := context.WithCancelCause(ctx)
	w.stopClaiming, w.breakOff, w.told = stopClaiming, breakOff, newNotifications(ctx, w.o)
	w.told.start()
	w.claiming.Go(func() { w.run(claim, work) })
	return nil
}

// Stop claims nothing more and waits for the attempts at work. Those that are
// not through when ctx ends are broken off and put back into the queue, for
// another worker to take up at once. It may be called without Start.
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
		w.breakOff(errStopping)
		<-done
	}
	w.breakOff(errStopping)
	w.told.end(ctx)
	return nil
}

// run claims until claim ends; attempts run under work.
func (w *Worker) run(claim, work context.Context) {
	failing := false // and logged
	for {
		select {
		case w.slots <- struct{}{}:
		case <-claim.Done():
			return
		}
		begin := w.o.Now() // the lease begins no earlier
		c, found, next, err := w.o.Queue.Claim(claim, w.o.Lease)
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
			w.o.Logger.ErrorContext(claim, "claiming failed", "error", err)
		}
		failing = err != nil
		if !w.idle(claim, next) {
			return
		}
	}
}

// How long a worker waits that is not told of something to claim. Leases run
// out and wake-ups get lost; and a next that is wrong must not keep it busy.
const (
	longestIdle  = 2 * time.Second
	shortestIdle = 100 * time.Millisecond
)

// idle waits until there may be something to claim; false when claim ends.
func (w *Worker) idle(claim context.Context, next time.Time) bool {
	wait := longestIdle
	if !next.IsZero() {
		wait = min(max(next.Sub(w.o.Now()), shortestIdle), longestIdle)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-w.o.Queue.Ready():
	case <-w.freed:
	case <-timer.C:
	case <-claim.Done():
		return false
	}
	return true
}

// handle makes one attempt at an entry that was claimed then, and keeps the
// claim meanwhile.
func (w *Worker) handle(ctx context.Context, c Claim, claimed time.Time) {
	ctx, cancel := context.WithCancelCause(ctx)
	a := newAttempt(w.o, c, w.told)
	var renewing sync.WaitGroup
	stop := make(chan struct{})
	renewing.Go(func() { w.renew(ctx, a, claimed, stop, cancel) })
	err := w.try(ctx, a)
	close(stop)
	renewing.Wait()
	cancel(nil)
	if err != nil {
		w.o.Logger.ErrorContext(ctx, "attempt broken off", "entry_id", c.Change.Entry.ID,
			"uuid", c.Change.Entry.UUID, "attempt", c.Attempt, "error", err)
	}
}

// try runs the attempt. A panic is one more way to fail: it must not end the
// process, nor come again for ever.
func (w *Worker) try(ctx context.Context, a *attempt) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.o.Logger.ErrorContext(ctx, "attempt panicked", "entry_id", a.entry.ID, "uuid", a.entry.UUID,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = a.fail(context.WithoutCancel(ctx), core.NewError(core.CodeInternal, "", fmt.Errorf("panic: %v", p)))
		}
	}()
	return a.run(ctx)
}

// renew keeps the claim until stop. Where it is lost, or could not be renewed
// for two thirds of its time, the attempt is broken off before somebody else
// may have begun another.
func (w *Worker) renew(ctx context.Context, a *attempt, renewed time.Time, stop <-chan struct{}, cancel context.CancelCauseFunc) {
	every := w.o.Lease / 6
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// The lease begins somewhere within the call; and one that takes
		// longer than the claim is sure to last renews nothing.
		begin := w.o.Now()
		left := w.o.sure() - begin.Sub(renewed)
		call, done := context.WithTimeout(ctx, min(w.o.StoreTimeout, max(left, 0)))
		newest, err := w.o.Queue.Renew(call, a.claim, w.o.Lease)
		done()
		switch {
		case err == nil:
			renewed = begin
			a.noteNewest(newest)
		case errors.Is(err, core.ErrConflict), w.o.Now().Sub(renewed) >= w.o.sure():
			cancel(fmt.Errorf("%w: %w", errClaimLost, err))
			return
		}
	}
}
