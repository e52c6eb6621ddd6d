package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// attempt is one try at bringing an entry to its outcome. Its methods save
// the entry as they go; mu keeps the build's output, which comes from another
// goroutine, apart from the steps.
type attempt struct {
	o     Options
	told  *notifications // of the outcome, once it is saved
	claim Claim
	steps steps // what was read on the way

	mu     sync.Mutex
	entry  core.Entry
	output tail
	shown  time.Time // when the output was last saved
	newest string    // id of another entry that its lane, or its app, should end up with; "" for none
}

func newAttempt(o Options, c Claim, told *notifications) *attempt {
	a := &attempt{o: o, told: told, claim: c, entry: c.Change.Entry.Clone()}
	a.output.Write([]byte(a.entry.Output))
	a.noteNewest(c.Newest)
	return a
}

// run brings the entry to its outcome, to a hold, or back into the queue. An
// error means that none of these could be saved.
func (a *attempt) run(ctx context.Context) error {
	if a.claim.Lost {
		if a.entry.Lost++; a.entry.Lost > maxLost {
			return a.fail(ctx, core.NewError(core.CodeInterrupted, "", nil))
		}
	}
	err := a.deploy(ctx)
	var o *outcome
	switch {
	case errors.As(err, &o):
		return a.finish(ctx, o.status, o.reason)
	case errors.Is(err, errHeld):
		return nil
	case errors.Is(context.Cause(ctx), errClaimLost):
		return context.Cause(ctx)
	case errors.Is(context.Cause(ctx), errStopping):
		return a.requeue(context.WithoutCancel(ctx), time.Time{}, "Interrupted by a restart; goes on in a moment")
	case errors.Is(err, core.ErrConflict):
		return fmt.Errorf("%w: %w", errClaimLost, err)
	case err != nil:
		return a.judge(ctx, err)
	}
	return a.finish(ctx, core.StatusOK, "")
}

// outcome ends an attempt early with a status that is no error.
type outcome struct {
	status core.Status
	reason string
}

func (o *outcome) Error() string { return string(o.status) + ": " + o.reason }

func skip(format string, args ...any) error {
	return &outcome{core.StatusSkipped, fmt.Sprintf(format, args...)}
}

// errHeld ends an attempt whose entry was put on hold.
var errHeld = errors.New("held")

// judge decides whether a failure is worth another try. What asks for a time
// to wait, as a rate limit does, is parked until then and costs no try.
func (a *attempt) judge(ctx context.Context, err error) error {
	after, retryable := core.Retryable(err)
	now := a.o.Now()
	switch {
	case !retryable:
		return a.fail(ctx, err)
	case after > 0 && now.Add(after).Sub(a.entry.CreatedAt) < a.o.GiveUp:
		at := now.Add(after)
		return a.requeue(ctx, at, "Asked to wait; tried again at "+at.Format(time.RFC3339))
	case a.entry.Failures >= len(a.o.RetryDelays):
		return a.fail(ctx, err)
	}
	delay := a.o.RetryDelays[a.entry.Failures]
	delay += time.Duration((a.o.Jitter() - 0.5) * 0.4 * float64(delay)) // ± 20 %
	a.entry.Failures++
	at := now.Add(delay)
	return a.requeue(ctx, at, "A step failed for now; tried again at "+at.Format(time.RFC3339))
}

// fail makes err the entry's outcome.
func (a *attempt) fail(ctx context.Context, err error) error {
	failure := core.AsError(err)
	a.o.Logger.WarnContext(ctx, "deployment failed", "entry_id", a.entry.ID, "uuid", a.entry.UUID,
		"code", string(failure.Code), "error", failure.Error())
	a.mu.Lock()
	a.entry.Error = &core.EntryError{Code: failure.Code, Reason: failure.Reason, Detail: detail(failure)}
	a.mu.Unlock()
	return a.finish(ctx, core.StatusError, failure.Reason)
}

// detail is what the entry shows of a failure beyond its reason.
func detail(e *core.Error) string {
	if e.Detail != "" || e.Cause == nil || e.Code == core.CodeInternal {
		return e.Detail
	}
	return clip(e.Cause.Error(), 8<<10)
}

// finish saves the outcome.
func (a *attempt) finish(ctx context.Context, status core.Status, reason string) error {
	retell := a.report(ctx, status, reason)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entry.Status, a.entry.Reason, a.entry.Hold = status, reason, nil
	a.entry.FinishedAt = a.o.Now()
	if err := a.told.add(ctx, a.entry.ID); err != nil {
		return err
	}
	if err := a.save(ctx, a.o.Store.Finish); err != nil {
		return err
	}
	a.told.tell(a.entry.Clone()) //nolint:contextcheck // told beside the attempt, which ends before
	if retell != nil {
		retell(a.entry.Clone())
	}
	return nil
}

// requeue puts the entry back for a later attempt, or one at once for the zero
// time.
func (a *attempt) requeue(ctx context.Context, at time.Time, reason string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entry.Status, a.entry.Reason = core.StatusPending, reason
	return a.save(ctx, a.requeued(Place{At: at}))
}

// write is a call of the Store that writes an entry's next revision.
type write func(ctx context.Context, e core.Entry, claim int) (core.Change, error)

// requeued returns the write that puts the entry back into the queue.
func (a *attempt) requeued(p Place) write {
	return func(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
		return a.o.Store.Requeue(ctx, e, claim, p)
	}
}

// heldUntil returns the write that holds the entry.
func (a *attempt) heldUntil(until time.Time) write {
	return func(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
		return a.o.Store.Hold(ctx, e, claim, until)
	}
}

// save writes the entry's next revision; a.mu is held.
func (a *attempt) save(ctx context.Context, to write) error {
	a.stamp()
	return a.o.persist(ctx, "saving the entry", func(ctx context.Context) error { return a.saveOnce(ctx, to) })
}

// stamp makes the entry what is to be saved. It is the same for all tries, by
// which a Store can know the one that it had done already.
func (a *attempt) stamp() {
	a.entry.UpdatedAt = a.o.Now()
	a.entry.Output = a.output.String()
	a.shown = a.entry.UpdatedAt
}

func (a *attempt) saveOnce(ctx context.Context, to write) error {
	ctx, cancel := context.WithTimeout(ctx, a.o.StoreTimeout)
	defer cancel()
	change, err := to(ctx, a.entry, a.claim.Attempt)
	if err == nil {
		a.entry = change.Entry.Clone()
	}
	return err
}

// The pauses between two calls of a store that fails.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// persist calls a store that fails again and again, as long as the claim is
// sure to last: what a deployment has done should not be lost to a moment's
// outage. After that the failure is one that passes.
func (o Options) persist(ctx context.Context, doing string, call func(context.Context) error) error {
	limit := time.NewTimer(o.sure())
	defer limit.Stop()
	for pause := firstPause; ; pause = min(pause*2, longestPause) {
		err := call(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, core.ErrConflict), errors.Is(err, core.ErrNotFound), ctx.Err() != nil:
			return fmt.Errorf("%s: %w", doing, err)
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
			continue
		case <-ctx.Done():
		case <-limit.C:
		}
		wait.Stop()
		return core.Transient(fmt.Errorf("%s: %w", doing, err), 0)
	}
}

// sure is for how much of its lease a claim counts on nobody else having it.
func (o Options) sure() time.Duration { return o.Lease * 2 / 3 }

// maxSteps bounds what an entry shows of many attempts: the last ones.
const maxSteps = 100

// step runs f as a step of the entry: its begin is saved with the end of the
// step before it, so that each step is one change.
func (a *attempt) step(ctx context.Context, name core.StepName, limit time.Duration, f func(context.Context) (string, error)) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	begin := a.o.Now()
	a.mu.Lock()
	if n := len(a.entry.Steps); n >= maxSteps {
		a.entry.Steps = a.entry.Steps[n-maxSteps+1:]
	}
	a.entry.Steps = append(a.entry.Steps, core.Step{Name: name, State: core.StepRunning, Attempt: a.claim.Attempt, StartedAt: begin})
	a.entry.Reason = ""
	err := a.save(ctx, a.o.Store.Update)
	index := len(a.entry.Steps) - 1
	a.mu.Unlock()
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, limit)
	found, err := f(call)
	cancel()

	a.mu.Lock()
	defer a.mu.Unlock()
	step := &a.entry.Steps[index]
	step.Millis = a.o.Now().Sub(begin).Milliseconds()
	step.State, step.Detail = core.StepOK, clip(found, 1<<10)
	var o *outcome
	if err != nil && !errors.As(err, &o) && !errors.Is(err, errHeld) {
		step.State = core.StepFailed
		if _, again := core.Retryable(err); again {
			step.State = core.StepRetry
		}
		failure := core.AsError(err)
		step.Detail = clip(strings.TrimSpace(failure.Reason+"\n"+detail(failure)), 1<<10)
	}
	return err
}

// noteNewest notes which entry the lane, or the app, should end up with.
func (a *attempt) noteNewest(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if id != "" && id != a.entry.ID {
		a.newest = id
	}
}

// checkNewest ends the attempt where something newer was accepted. The same
// commit, accepted once more, is nothing newer: it only counts as long as it is
// deployed itself.
func (a *attempt) checkNewest(ctx context.Context) error {
	a.mu.Lock()
	id := a.newest
	a.mu.Unlock()
	if id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.o.StoreTimeout)
	defer cancel()
	c, err := a.o.Store.Find(ctx, id)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		return core.Transient(fmt.Errorf("looking for the newest entry: %w", err), 0)
	}
	newest := c.Entry
	switch {
	case newest.Commit.ID != a.entry.Commit.ID || newest.Repository.Key() != a.entry.Repository.Key():
		return skip("Superseded by a newer push to %s", a.entry.Branch)
	case newest.Status == core.StatusError || newest.Status == core.StatusSkipped:
		return nil
	}
	return skip("Superseded by another delivery of the same commit")
}

// buildOutput takes what a build prints. It shows it in the entry about once a
// second, so that the feed tells of a long build while it runs.
type buildOutput struct {
	ctx context.Context //nolint:containedctx // of the one upload that it is for
	a   *attempt
}

func (b *buildOutput) Write(p []byte) (int, error) {
	a := b.a
	a.mu.Lock()
	defer a.mu.Unlock()
	a.output.Write(p)
	if a.o.Now().Sub(a.shown) < time.Second {
		return len(p), nil
	}
	// A store that fails here fails the next step too, and is waited for there.
	a.stamp()
	if err := a.saveOnce(b.ctx, a.o.Store.Update); err != nil {
		a.o.Logger.WarnContext(b.ctx, "build output not saved", "entry_id", a.entry.ID, "uuid", a.entry.UUID, "error", err)
	}
	return len(p), nil
}

// tail keeps the last part of a text, whole lines where it can.
type tail struct{ text []byte }

const maxOutput = 32 << 10

func (t *tail) Write(p []byte) {
	t.text = append(t.text, p...)
	if over := len(t.text) - maxOutput; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.text), "\uFFFD") }

// clip cuts text to at most n bytes of valid UTF-8, keeping its end, where a
// failure says what it was.
func clip(text string, n int) string {
	if len(text) > n {
		text = "…" + text[len(text)-n:]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
