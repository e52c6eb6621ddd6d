package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// attempt is one try at bringing an entry to its outcome.
type attempt struct {
	*record
	notifications *notifications
	claim         Claim
	found         findings           // of the steps so far
	later         []func(core.Entry) // to be called after the outcome; nil for nothing
}

// findings are what the steps of an attempt find out for those after them.
type findings struct {
	forge    Forge
	tokens   []core.ThirdPartyToken
	wait     core.Wait
	lookAt   time.Time // when to look at the held push again; zero: when its time is over
	reports  int64     // Order of the newest report that was known when they were looked at
	pkg      Package
	app      App    // as it was before
	isNew    bool   // there is no such app yet
	deferred result // a failure that counts only later
}

func newAttempt(e *engine, c Claim, n *notifications) *attempt {
	a := &attempt{record: &record{engine: e, entry: c.Change.Entry.Clone()}, notifications: n, claim: c}
	a.output.Write([]byte(a.entry.Output))
	a.noteNewest(c.Newest)
	return a
}

// run brings the entry to its outcome, to a hold, or back into the queue. It
// fails if none of these could be saved.
func (a *attempt) run(ctx context.Context) error {
	if a.claim.Lost {
		lost := 0
		a.set(func(e *core.Entry) { e.Lost++; lost = e.Lost })
		if lost > maxLost {
			return a.conclude(ctx, failureOf(core.CodeInterrupted, nil))
		}
	}
	end := done("")
	for _, s := range a.pipeline() {
		if r := a.do(ctx, s); r.next == deferred {
			a.found.deferred = failure(r.err)
		} else if r.next != proceed {
			end = r
			break
		}
	}
	if end.next == hold {
		// A newer push ends the holds before it, but not one that is still to come.
		if r := a.confirmClaim(ctx); r.next != proceed {
			end = r
		}
	}
	switch cause := context.Cause(ctx); {
	case end.next != failed:
		return a.conclude(ctx, end)
	case errors.Is(cause, errClaimLost):
		return cause
	case errors.Is(cause, errStopping):
		return a.conclude(ctx, result{next: requeue, reason: "Interrupted by a restart; goes on in a moment"})
	case errors.Is(end.err, core.ErrConflict):
		return fmt.Errorf("%w: %w", errClaimLost, end.err)
	default:
		return a.conclude(ctx, a.retryOrFail(end.err))
	}
}

// step is a part of a deployment. Those with a name are recorded in the entry.
type step struct {
	name  core.StepName
	limit time.Duration
	do    func(ctx context.Context) (detail string, r result)
}

// do runs a step. Its begin is saved with the end of the one before, so that each
// step is one change.
func (a *attempt) do(ctx context.Context, s step) result {
	if err := context.Cause(ctx); err != nil {
		return failure(err)
	}
	if s.name == "" {
		_, r := s.do(ctx)
		return r
	}
	a.begin(s.name, a.claim.Attempt)
	if err := a.save(ctx, "update", a.update); err != nil {
		return failure(err)
	}
	call, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	detail, r := s.do(call)
	if r.next == failed || r.next == deferred {
		e := core.AsError(r.err)
		if detail = e.Reason; !strings.Contains(e.Reason, core.OneLine(errorDetail(e))) {
			detail += "\n" + errorDetail(e)
		}
	}
	a.end(r.state(), detail)
	return r
}

// retryOrFail decides whether a failure is worth another attempt. A failure that
// says when to try again, as a rate limit does, costs none of the attempts.
func (a *attempt) retryOrFail(err error) result {
	after, temporary := core.Retryable(err)
	e, now := a.get(), a.Now()
	switch {
	case !temporary:
		return failure(err)
	case after > 0 && now.Add(after).Sub(e.CreatedAt) < a.GiveUp:
		at := now.Add(after)
		return result{next: requeue, place: Place{At: at}, reason: again(at, "Asked to wait", err)}
	case e.Failures >= len(a.RetryDelays):
		return failure(err)
	}
	delay := a.RetryDelays[e.Failures]
	delay += time.Duration((a.Jitter() - 0.5) * 0.4 * float64(delay)) // ± 20 %
	a.set(func(e *core.Entry) { e.Failures++ })
	at := now.Add(delay)
	return result{next: requeue, place: Place{At: at}, reason: again(at, "A step failed for now", err)}
}

// again says that a step is tried again, and why.
func again(at time.Time, what string, err error) string {
	e := core.AsError(err)
	cause := e.Reason
	if e.Cause != nil {
		cause = e.Cause.Error()
	}
	return what + "; tried again at " + at.Format(time.RFC3339) + ": " + core.OneLine(cause)
}

// conclude saves how the attempt ended, also if ctx ends meanwhile: what was done
// would else be done again. If the claim was lost, the Store saves nothing.
func (a *attempt) conclude(ctx context.Context, r result) error {
	if r.next == failed {
		e := core.AsError(r.err)
		a.Logger.WarnContext(ctx, "deployment failed", append(about(a.get()), "code", string(e.Code), "error", e.Error())...)
		a.set(func(entry *core.Entry) {
			entry.Error = &core.EntryError{Code: e.Code, Reason: e.Reason, Detail: errorDetail(e)}
		})
		r = result{next: finish, status: core.StatusError, reason: e.Reason}
	}
	if r.next == finish {
		a.later = append(a.later, a.setCommitStatus(ctx, r.status, r.reason))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.certain())
	defer cancel()
	switch r.next {
	case hold:
		return a.hold(ctx, r.hold)
	case requeue:
		a.set(func(e *core.Entry) { e.Status, e.Reason = core.StatusPending, r.reason })
		return a.save(ctx, "requeue", func(ctx context.Context, e core.Entry) (core.Change, error) {
			return a.Store.Requeue(ctx, e, a.claim.Attempt, r.place)
		})
	default:
		return a.finish(ctx, r.status, r.reason)
	}
}

// errorDetail is what the entry shows of a failure beyond its reason. A cause whose
// own reason is a part of that adds nothing but names of operations.
func errorDetail(e *core.Error) string {
	if e.Detail != "" || e.Cause == nil || e.Code == core.CodeInternal {
		return e.Detail
	}
	if inner, ok := errors.AsType[*core.Error](e.Cause); ok && strings.Contains(e.Reason, core.OneLine(inner.Reason)) {
		return ""
	}
	return clip(e.Cause.Error(), 8<<10)
}

// finish saves the outcome and has it notified.
func (a *attempt) finish(ctx context.Context, status core.Status, reason string) error {
	now := a.Now()
	a.set(func(e *core.Entry) { e.Status, e.Reason, e.Hold, e.FinishedAt = status, reason, nil, now })
	if err := a.notifications.add(ctx, a.claim.Change.Entry.ID); err != nil {
		return err
	}
	err := a.save(ctx, "finish", func(ctx context.Context, e core.Entry) (core.Change, error) {
		return a.Store.Finish(ctx, e, a.claim.Attempt)
	})
	if err != nil {
		return err
	}
	e := a.get()
	var code core.Code
	if e.Error != nil {
		code = e.Error.Code
	}
	a.Observer.Outcome(status, code, now.Sub(e.CreatedAt))
	if status != core.StatusError { // which is logged with its cause
		a.Logger.InfoContext(ctx, "deployment finished", append(about(e), "status", string(status), "reason", reason, "duration", now.Sub(e.CreatedAt))...)
	}
	a.notifications.send(e) //nolint:contextcheck // notified beside the attempt, which ends before
	for _, later := range a.later {
		if later != nil {
			later(e)
		}
	}
	return nil
}

// about returns what identifies a deployment in the log.
func about(e core.Entry) []any {
	return []any{"entry_id", e.ID, "uuid", e.UUID, "user", e.User, "app", e.App, "repository", e.Repository.Slug(), "commit", e.Commit.ID}
}

// update is the write that saves progress.
func (a *attempt) update(ctx context.Context, e core.Entry) (core.Change, error) {
	return a.Store.Update(ctx, e, a.claim.Attempt)
}

// checkNewest ends the attempt if a newer entry should be deployed instead. The
// same commit, accepted once more, counts as newer only while it is deployed
// itself.
func (a *attempt) checkNewest(ctx context.Context) result {
	id := a.newer()
	if id == "" {
		return result{}
	}
	c, err := a.lookup(ctx, id)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		return failure(core.Transient(fmt.Errorf("reading the newest entry: %w", err), 0))
	}
	e, newest := a.get(), c.Entry
	switch {
	case newest.Commit.ID != e.Commit.ID || newest.Repository.Key() != e.Repository.Key():
		return skipped("Superseded by a newer push to %s", e.Branch)
	case newest.Status == core.StatusError || newest.Status == core.StatusSkipped:
		return result{}
	}
	return skipped("Superseded by another delivery of the same commit")
}
