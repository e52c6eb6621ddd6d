package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nodejitsu/webhooks/core"
)

// askGates finds out which gate the push has to pass, if any.
func (a *attempt) askGates(ctx context.Context) (string, result) {
	push := a.get()
	asked := push.Target.Gate
	a.set(func(e *core.Entry) { e.Gate, e.GateKeys = "", nil })
	switch {
	case asked == core.GateNone:
		return "The webhook asks for no gate", result{}
	case asked != "" && !a.hasGate(asked):
		return a.askForChecks(push)
	}
	var reasons []string
	for _, g := range a.Gates {
		if asked != "" && asked != g.Name() {
			continue
		}
		wait, err := g.Required(ctx, push, a.file)
		if err != nil {
			return "", failureOf(core.CodeGateFailed, fmt.Errorf("%s: %w", g.Name(), err))
		}
		a.note(wait.Note)
		if len(wait.Keys) > 0 {
			a.found.wait = wait
			a.set(func(e *core.Entry) { e.Gate, e.GateKeys = g.Name(), wait.Keys })
			return wait.Reason, result{}
		}
		reasons = append(reasons, wait.Reason)
	}
	return strings.Join(reasons, "; "), result{}
}

// passGate holds a push whose gate has not reported yet.
func (a *attempt) passGate(ctx context.Context) result {
	wait := a.found.wait
	if e := a.get(); e.Gate == gateChecks && e.Released == "" {
		now := a.Now()
		return a.askChecks(ctx, core.Hold{Gate: gateChecks, Keys: e.GateKeys, Since: now, Until: now.Add(a.HoldTimeout)})
	}
	if len(wait.Keys) == 0 {
		return result{}
	}
	push := a.get()
	v, r := a.readReports(ctx, push)
	switch {
	case r.next != proceed, v.state == gatePassed:
		return r
	case wait.Never != "":
		return skipped("%s", wait.Never)
	}
	now := a.Now()
	h := core.Hold{Gate: push.Gate, Keys: push.GateKeys, For: wait.For, Since: now, Until: now.Add(a.HoldTimeout)}
	// A report, or a newer push, may come while the hold is being saved.
	a.found.lookAt = earlier(now.Add(a.GateInterval), h.Until)
	return result{next: hold, hold: h}
}

// readReports returns the verdict of the reports that came on a push. It proceeds if
// that is open, or passed and the push is to go on.
func (a *attempt) readReports(ctx context.Context, push core.Entry) (verdict, result) {
	known, err := a.byCommit(ctx, push)
	if err != nil {
		return verdict{}, failure(core.Transient(fmt.Errorf("reading the reports: %w", err), 0))
	}
	v := verdictOn(push, known)
	for _, r := range v.reports {
		a.note(reported(r))
	}
	switch v.state {
	case gateFailed:
		return v, skipped("%s", v.reason())
	case gatePassed:
		return v, a.useReports(ctx, v)
	}
	return v, result{}
}

// useReports lets a push go on whose reports came before it.
func (a *attempt) useReports(ctx context.Context, v verdict) result {
	for _, r := range v.reports {
		if r.Status == core.StatusOK && r.Snapshot != "" && !a.get().Again {
			return skipped("%s, and that deployed the commit already", buildSays(r))
		}
		if r.Status == core.StatusHeld {
			if err := a.settle(ctx, r, core.StatusOK, "Released the push that came after it"); err != nil {
				a.Logger.InfoContext(ctx, "report not finished", "entry_id", r.ID, "uuid", r.UUID, "error", err)
			}
		}
	}
	return result{}
}

// hold makes the entry wait until something releases it or its time is over.
func (a *attempt) hold(ctx context.Context, h core.Hold) error {
	a.set(func(e *core.Entry) {
		e.Status, e.Hold = core.StatusHeld, &h
		if e.HeldAt.IsZero() {
			e.HeldAt = h.Since
		}
		e.Reason = "Waits for " + h.For + ", until " + h.Until.Format(time.RFC3339)
	})
	at := h.Until
	if !a.found.lookAt.IsZero() {
		at = a.found.lookAt
	}
	err := a.save(ctx, "hold", func(ctx context.Context, e core.Entry) (core.Change, error) {
		return a.Store.Hold(ctx, e, a.claim.Attempt, at)
	})
	switch {
	case err != nil:
	case h.Gate == gateChecks:
		a.lookAgainAtChecks(ctx)
	case h.Gate != "":
		a.lookAgain(ctx)
	}
	return err
}

// lookAgain applies reports that came between looking for them and holding the
// push. Either this finds the report or the report finds the held push, as each
// writes before it looks. If this fails, endHold finds the report.
func (a *attempt) lookAgain(ctx context.Context) {
	push := a.get()
	known, err := a.byCommit(ctx, push)
	switch v := verdictOn(push, known); {
	case err != nil, v.state == gateOpen:
	case v.state == gateFailed:
		err = a.settle(ctx, push, core.StatusSkipped, v.reason())
	case v.state == gatePassed:
		_, err = a.release(ctx, push, v.reason())
	}
	if err != nil && !errors.Is(err, core.ErrConflict) {
		a.Logger.WarnContext(ctx, "report not applied", "entry_id", push.ID, "uuid", push.UUID, "error", err)
	}
}

// endHold looks at a held entry that became ready because its time is over, or to
// look for its reports or checks, or because it is no longer the newest of its lane, or
// because the clock was set back.
func (a *attempt) endHold(ctx context.Context) result {
	e, now := a.get(), a.Now()
	h := e.Hold
	if h != nil && h.Gate == gateChecks {
		return a.lookAtChecks(ctx, *h)
	}
	if h != nil && h.Gate != "" {
		switch v, r := a.readReports(ctx, e); {
		case r.next != proceed:
			return r
		case v.state == gatePassed:
			return a.goOn(v.reason())
		}
	}
	if h != nil && now.Before(h.Until) {
		again := *h
		if longest := now.Add(a.HoldTimeout); longest.Before(again.Until) {
			again.Until = longest
		}
		if now.Before(again.Since) {
			again.Since = now
		}
		return result{next: hold, hold: again}
	}
	if e.Kind == core.EventBuild || h == nil {
		return skipped("No push of the commit came within %s", a.HoldTimeout)
	}
	return skipped("%s did not come within %s", capitalized(h.For), a.HoldTimeout)
}

// goOn lets a held push go on, past its gate.
func (a *attempt) goOn(reason string) result {
	a.set(func(e *core.Entry) { e.Hold, e.Released = nil, reason })
	return result{next: requeue, place: Place{At: a.Now()}, reason: reason}
}

// capitalized returns text with its first letter in upper case.
func capitalized(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return text
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// verdict is what the reports on a push come to.
type verdict struct {
	state   gateState
	reports []core.Entry // that decide it, in the order of the push's keys
}

type gateState int

const (
	gateOpen   gateState = iota // reports are missing
	gatePassed                  // every key has passed
	gateFailed                  // one has not
)

// verdictOn returns the verdict of the entries of a commit, newest first, on a
// push of it: the newest report for each key of its gate counts.
func verdictOn(push core.Entry, known []core.Change) verdict {
	newest := map[string]core.Entry{} // by key
	for _, c := range known {
		r := c.Entry
		if _, found := newest[keyOf(r)]; !found && reportsOn(r, push) {
			newest[r.Build.Key] = r
		}
	}
	v := verdict{state: gatePassed}
	for _, key := range push.GateKeys {
		r, found := newest[key]
		switch {
		case !found:
			v.state = gateOpen
		case r.Build.State != core.BuildPassed:
			return verdict{gateFailed, []core.Entry{r}}
		default:
			v.reports = append(v.reports, r)
		}
	}
	return v
}

func keyOf(report core.Entry) string {
	if report.Build == nil {
		return ""
	}
	return report.Build.Key
}

// reportsOn reports whether an entry is a report that the push waits for.
func reportsOn(report, push core.Entry) bool {
	return report.Kind == core.EventBuild && report.Build != nil && report.Branch != "" &&
		waitsFor(push, *report.Build) && ignoredBuild(*report.Build, "") == "" &&
		(report.User == "" || report.User == push.User)
}

// waitsFor reports whether a push waits for a build, or waited for it.
func waitsFor(push core.Entry, build core.Build) bool {
	return build.Gate != "" && build.Gate == push.Gate && slices.Contains(push.GateKeys, build.Key)
}

// reason returns the verdict in words.
func (v verdict) reason() string {
	var all []string
	for _, r := range v.reports {
		all = append(all, buildSays(r))
	}
	return strings.Join(all, ", ")
}

// buildSays returns a report in words.
func buildSays(report core.Entry) string {
	b := report.Build
	name := b.Name
	if name == "" {
		name = strings.TrimSpace("The build " + b.Number)
	}
	return name + " " + string(b.State)
}

// reported returns a report in words, for the push that it decides on: where the
// build can be seen and which request reported it.
func reported(report core.Entry) string {
	text := buildSays(report) + ", reported by the request " + report.UUID
	if report.Build.URL != "" {
		text += ": " + report.Build.URL
	}
	return text
}
