package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// askForChecks sets that the push waits for the checks that the webhook asks for.
func (a *attempt) askForChecks(push core.Entry) (string, result) {
	keys, err := parseGate(push.Target.Gate)
	if err != nil { // the gate of that name was removed since
		return "", failure(err)
	}
	if forge, single := a.found.forge.(SingleCheck); single && asksForAll(keys) {
		keys = []string{forge.SingleCheck()}
	}
	a.set(func(e *core.Entry) { e.Gate, e.GateKeys = gateChecks, keys })
	return "The webhook asks for gate=" + push.Target.Gate, result{}
}

// askChecks decides about a push that waits for checks, or is about to: it goes on,
// is skipped, or waits as h says, with the newest sentence.
func (a *attempt) askChecks(ctx context.Context, h core.Hold) result {
	push, now := a.get(), a.Now()
	checks, r := a.readChecks(ctx, push)
	if r.next != proceed {
		return r
	}
	v := checksOn(push, checks.found, now)
	if checks.again > 0 {
		v = checksVerdict{text: "an answer of " + push.Repository.Forge + " about the checks", running: true}
	}
	a.found.lookAt = now.Add(max(a.GateInterval, checks.again))
	passedAt := h.PassedAt
	h.PassedAt = time.Time{}
	switch v.state {
	case checksPassed:
		if a.settled(push, passedAt, now) {
			a.set(func(e *core.Entry) { e.Released = v.text })
			return result{}
		}
		// Workflows that start late are part of all checks.
		if h.PassedAt = passedAt; h.PassedAt.IsZero() {
			h.PassedAt = now
		}
		a.found.lookAt = h.PassedAt.Add(a.GateSettle)
		v.text = "more checks; so far " + v.text
	case checksFailed:
		return a.stopped("%s", v.text)
	case checksEmpty:
		if now.Sub(h.Since) >= a.GateEmpty || !v.found && push.Commit.SkipsChecks() {
			return a.withoutChecks(push, v)
		}
	}
	if v.running {
		h.Until = later(h.Until, earlier(now.Add(a.HoldTimeout), h.Since.Add(a.LongestHold)))
	}
	if !now.Before(h.Until) {
		return a.stopped("Waited %s for %s", h.Until.Sub(h.Since).Round(time.Second), v.text)
	}
	h.For = v.text
	a.found.lookAt = earlier(a.found.lookAt, h.Until)
	return result{next: hold, hold: h}
}

// settled reports whether a push whose checks have passed need not wait for more.
func (a *attempt) settled(push core.Entry, passedAt, now time.Time) bool {
	return !asksForAll(push.GateKeys) || !passedAt.IsZero() && now.Sub(passedAt) >= a.GateSettle
}

// stopped skips a push that its gate did not let pass. It goes on if the gate
// passes later.
func (a *attempt) stopped(format string, args ...any) result {
	a.set(func(e *core.Entry) { e.Stopped = true })
	return skipped(format, args...)
}

// withoutChecks decides about a push that has no checks.
func (a *attempt) withoutChecks(push core.Entry, v checksVerdict) result {
	if push.Target.GateEmpty == core.GateEmptyDeploy {
		a.set(func(e *core.Entry) {
			e.Released = "There is no " + v.missing + ", and gate_empty=deploy was asked for"
		})
		return result{}
	}
	return a.stopped("There is no %s for this commit: a path filter, a text such as [skip ci], or a push that was made with a workflow's own token"+
		" (gate_empty=deploy deploys such a push)", v.missing)
}

// knownChecks are the checks of a commit.
type knownChecks struct {
	found []Check
	again time.Duration // the forge could not say; when to ask it again, 0 if it did
}

// readChecks returns the checks of the push's commit: from the forge, if the user has
// an access token that may read them, or else from the reports that came. It does not
// proceed if they can't be known.
func (a *attempt) readChecks(ctx context.Context, push core.Entry) (knownChecks, result) {
	known, err := a.byCommit(ctx, push)
	if err != nil {
		return knownChecks{}, failure(core.Transient(fmt.Errorf("reading the reports: %w", err), 0))
	}
	a.found.reports = newestReport(known)
	token := a.token(push.App)
	why := "Your account is not paired with " + push.Repository.Forge
	if !token.IsZero() {
		ctx, cancel := context.WithTimeout(ctx, a.StepTimeout)
		defer cancel()
		checks, err := a.found.forge.Checks(ctx, push.Repository, push.Commit.ID, token)
		after, again := core.Retryable(err)
		switch {
		case err == nil:
			// A report may be of something that this token does not see.
			return knownChecks{found: append(checks, reportedChecks(push, known)...)}, result{}
		case again:
			a.Logger.InfoContext(ctx, "checks not read", "entry_id", push.ID, "uuid", push.UUID, "error", err)
			return knownChecks{again: max(after, a.GateInterval)}, result{}
		case !errors.Is(err, core.ErrUnauthorized) && !errors.Is(err, core.ErrForbidden) && !errors.Is(err, core.ErrNotFound):
			return knownChecks{}, failureOf(core.CodeGateFailed, err)
		}
		why = "The access token that we keep for you may not read the checks on " + push.Repository.Forge
	}
	if asksForAll(push.GateKeys) {
		return knownChecks{}, skipped("%s, so only checks that are named can be waited for. Pair your account with a token that may read them"+
			" (POST /1/auth), or name them, such as gate=.github/workflows/ci.yml or gate=status:ci/build", why)
	}
	if !token.IsZero() {
		a.note(why + ", so the reports that it sends are used")
	}
	return knownChecks{found: reportedChecks(push, known)}, result{}
}

// lookAtChecks looks at the checks of a held push.
func (a *attempt) lookAtChecks(ctx context.Context, h core.Hold) result {
	for _, find := range []func(context.Context) result{a.findForge, a.readTokens} {
		if r := find(ctx); r.next != proceed {
			return r
		}
	}
	if now := a.Now(); now.Before(h.Since) { // the clock was set back
		h.Since, h.Until = now, now.Add(a.HoldTimeout)
	}
	r := a.askChecks(ctx, h)
	if r.next != proceed {
		return r
	}
	return a.goOn(a.get().Released)
}

// lookAgainAtChecks wakes the push if a report came between looking at its checks
// and holding it. Either this finds the report or the report finds the held push, as
// each writes before it looks.
func (a *attempt) lookAgainAtChecks(ctx context.Context) {
	change, err := a.lookup(ctx, a.claim.Change.Entry.ID)
	if err != nil || change.Entry.Status != core.StatusHeld {
		return
	}
	known, err := a.byCommit(ctx, change.Entry)
	if err == nil && newestReport(known) > a.found.reports {
		_, err = a.wakeHeld(ctx, change.Entry)
	}
	if err != nil && !errors.Is(err, core.ErrConflict) {
		a.Logger.WarnContext(ctx, "report not applied", "entry_id", change.Entry.ID, "uuid", change.Entry.UUID, "error", err)
	}
}

// newestReport returns the Order of the newest report about checks among the entries
// of a commit, 0 if there is none.
func newestReport(known []core.Change) int64 {
	var newest int64
	for _, c := range known {
		if b := c.Entry.Build; b != nil && b.Gate == gateChecks {
			newest = max(newest, c.Entry.Order)
		}
	}
	return newest
}

// wake lets a push look at its checks again, because a report says that there is
// something new. One that was skipped for its checks starts again if a check passed.
func (a *attempt) wake(ctx context.Context, report, push core.Entry) (application, error) {
	switch {
	case push.Gate != gateChecks:
		return appliedNothing, nil
	case push.Status == core.StatusHeld:
		return a.wakeHeld(ctx, push)
	case push.Status != core.StatusSkipped || !push.Stopped || report.Build.State != core.BuildPassed || !report.Authentic:
		return appliedNothing, nil
	}
	push = push.Clone()
	a.restart(&push)
	return appliedWoken, a.call(ctx, "requeue", func(ctx context.Context) error {
		_, err := a.Store.Requeue(ctx, push, 0, Place{})
		return err
	})
}

// wakeHeld makes a held push ready.
func (a *attempt) wakeHeld(ctx context.Context, push core.Entry) (application, error) {
	now := a.Now()
	push = push.Clone()
	push.UpdatedAt = now
	return appliedWoken, a.call(ctx, "hold", func(ctx context.Context) error {
		_, err := a.Store.Hold(ctx, push, 0, now)
		return err
	})
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
