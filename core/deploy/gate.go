package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// readTravis finds out whether the push waits for Travis CI: it does where the
// commit's .travis.yml declares a webhook that can fire on a pass.
func (a *attempt) readTravis(ctx context.Context) (string, error) {
	yml, err := a.file(ctx, ".travis.yml")
	if errors.Is(err, core.ErrNotFound) {
		return "There is no .travis.yml", nil
	}
	if err != nil {
		return "", core.NewError(core.CodeReadTravis, "", err)
	}
	notifies, reason, err := a.o.TravisConfig(yml, a.entry.Branch)
	if err != nil {
		a.note("Travis CI can't read .travis.yml, so nothing was waited for: " + clip(err.Error(), 200))
		return "It can't be read", nil
	}
	if notifies {
		a.steps.waits = "Travis CI's report on the commit (" + reason + ")"
	}
	return reason, nil
}

// gate holds a push that waits for Travis CI, unless Travis CI has said already
// what it has to say.
func (a *attempt) gate(ctx context.Context) error {
	if a.steps.waits == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.o.StepTimeout)
	defer cancel()
	passed, err := a.consultReports(ctx)
	if err != nil || passed != "" {
		return err
	}
	if a.entry.SkipsCI {
		return skip("The push asks Travis CI to build nothing, and .travis.yml says to wait for its build")
	}
	if err := a.hold(ctx, a.steps.waits, a.o.Now().Add(a.o.HoldTimeout)); err != nil {
		return err
	}
	// A report may have come between looking and holding: one of the two
	// sees the other, as each writes before it looks.
	change, err := a.o.Store.Find(ctx, a.entry.ID)
	if err != nil || change.Entry.Status != core.StatusHeld {
		return errHeld
	}
	passed, err = a.consultReports(ctx)
	var o *outcome
	switch {
	case errors.As(err, &o):
		_, err = a.o.settle(ctx, change.Entry, o.status, o.reason)
	case err == nil && passed != "":
		_, err = a.o.release(ctx, change.Entry, passed)
	}
	if err != nil && !errors.Is(err, core.ErrConflict) {
		a.o.Logger.WarnContext(ctx, "report not applied", "entry_id", a.entry.ID, "uuid", a.entry.UUID, "error", err)
	}
	return errHeld
}

// consultReports looks for what Travis CI already said of the commit. The
// newest report counts: a pass is returned in words, anything else skips.
func (a *attempt) consultReports(ctx context.Context) (passed string, err error) {
	known, err := a.o.Store.ByCommit(ctx, a.entry.Repository.Key(), commits(a.entry))
	if err != nil {
		return "", core.Transient(fmt.Errorf("looking for reports: %w", err), 0)
	}
	for _, c := range known {
		report := c.Entry
		if report.Kind != core.EventBuild || report.Status == core.StatusIgnored ||
			report.User != "" && report.User != a.entry.User {
			continue
		}
		a.note(reported(report))
		if report.Build.State != core.BuildPassed {
			return "", skip("%s", buildSays(report))
		}
		if report.Status == core.StatusOK && report.Snapshot != "" {
			return "", skip("%s, and that deployed the commit already", buildSays(report))
		}
		if report.Status == core.StatusHeld {
			if _, err := a.o.settle(ctx, report, core.StatusOK, "Released the push that came after it"); err != nil {
				a.o.Logger.InfoContext(ctx, "report not settled", "entry_id", report.ID, "uuid", report.UUID, "error", err)
			}
		}
		return buildSays(report), nil
	}
	return "", nil
}

// hold puts the entry to sleep until something releases it or the time is up.
func (a *attempt) hold(ctx context.Context, what string, until time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entry.Status = core.StatusHeld
	a.entry.Hold = &core.Hold{For: what, Until: until}
	a.entry.Reason = "Waits for " + what + " until " + until.Format(time.RFC3339)
	if n := len(a.entry.Steps); n > 0 && a.entry.Steps[n-1].State == core.StepRunning {
		a.entry.Steps[n-1].State, a.entry.Steps[n-1].Detail = core.StepOK, a.entry.Reason
	}
	return a.save(ctx, a.heldUntil(until))
}

// wokenHeld looks at a held entry that became ready: its time is up, or a
// newer one entered its lane.
func (a *attempt) wokenHeld(ctx context.Context) error {
	if err := a.checkNewest(ctx); err != nil {
		return err
	}
	now := a.o.Now()
	if hold := a.entry.Hold; hold != nil && now.Before(hold.Until) {
		// A clock that was set back since makes no hold longer than it may be.
		until := hold.Until
		if most := now.Add(a.o.HoldTimeout); most.Before(until) {
			until = most
		}
		if err := a.hold(ctx, hold.For, until); err != nil {
			return err
		}
		return errHeld
	}
	if a.entry.Kind == core.EventBuild {
		return skip("No push of the commit came within %s", a.o.HoldTimeout)
	}
	return skip("Travis CI did not report within %s", a.o.HoldTimeout)
}

// releaseByBuild applies a report of Travis CI to the pushes that wait for it.
func (a *attempt) releaseByBuild(ctx context.Context) (string, error) {
	known, err := a.o.Store.ByCommit(ctx, a.entry.Repository.Key(), commits(a.entry))
	if err != nil {
		return "", core.Transient(fmt.Errorf("looking for held pushes: %w", err), 0)
	}
	passed := a.entry.Build.State == core.BuildPassed
	applied, deployed := 0, false
	for _, c := range known {
		push := c.Entry
		if push.Kind != core.EventPush || a.entry.User != "" && a.entry.User != push.User {
			continue
		}
		deployed = deployed || push.Status == core.StatusOK
		push = push.Clone()
		push.Notes = append(push.Notes, reported(a.entry))
		switch {
		case push.Status == core.StatusPending:
			// Its own gate finds this report.
		case passed && a.releases(push):
			_, err = a.o.release(ctx, push, buildSays(a.entry))
		case !passed && push.Status == core.StatusHeld:
			_, err = a.o.settle(ctx, push, core.StatusSkipped, buildSays(a.entry))
		default:
			continue
		}
		if errors.Is(err, core.ErrConflict) {
			return "", core.Transient(fmt.Errorf("applying the report: %w", errPushMoved), appBusyWait)
		}
		if err != nil {
			return "", core.Transient(fmt.Errorf("applying the report: %w", err), 0)
		}
		applied++
		if passed && push.User == a.entry.User && a.entry.Releases == "" {
			a.releasing(push.ID)
		}
	}
	switch {
	case !passed && applied > 0:
		return "", skip("%s: the push that waited for it is not deployed", buildSays(a.entry))
	case !passed:
		return "", skip("%s: nothing is deployed", buildSays(a.entry))
	case applied > 0:
		return "", &outcome{core.StatusOK, "Released the push of the commit"}
	case deployed:
		return "", skip("The push of the commit was deployed already")
	case !a.entry.Proved:
		if err := a.hold(ctx, "GitHub's push of the commit", a.o.Now().Add(a.o.HoldTimeout)); err != nil {
			return "", err
		}
		return "", errHeld
	case a.entry.Branch != a.entry.Deploys:
		return "", &outcome{core.StatusIgnored, fmt.Sprintf(
			"The build is of the branch %q; only %q is deployed (the parameter branch chooses another)", a.entry.Branch, a.entry.Deploys)}
	}
	// Nothing waits, and the sender is the user: the build deploys by itself,
	// from here on as a push would, in the lane that it now enters.
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entry.Released = buildSays(a.entry)
	now := a.o.Now()
	if n := len(a.entry.Steps); n > 0 {
		a.entry.Steps[n-1].State = core.StepOK
	}
	if err := a.save(ctx, a.requeued(Place{Lane: lane(a.entry), At: now})); err != nil {
		return "", err
	}
	return "", errHeld
}

// releasing notes which entry the report lets go on, the newest of them.
func (a *attempt) releasing(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entry.Releases = id
}

// releases tells whether the pass lets a push go on: one that is held; and,
// where the user sends the report, one that was skipped meanwhile, as by an
// earlier report or because its time was up, or that failed. Where something
// newer was accepted since, the push finds that out itself.
func (a *attempt) releases(push core.Entry) bool {
	switch push.Status {
	case core.StatusHeld:
		return true
	case core.StatusSkipped, core.StatusError:
		return a.entry.Proved
	default:
		return false
	}
}

// errPushMoved makes a report look again at a push that moved meanwhile.
var errPushMoved = errors.New("the push was changed by somebody else")

// settle ends an entry that no worker holds.
func (o Options) settle(ctx context.Context, e core.Entry, status core.Status, reason string) (core.Change, error) {
	e = e.Clone()
	e.Status, e.Reason, e.Hold = status, reason, nil
	e.UpdatedAt = o.Now()
	e.FinishedAt = e.UpdatedAt
	return o.Store.Finish(ctx, e, 0)
}

// commits returns all ids that the entry's commit may be known by.
func commits(e core.Entry) []string { return append([]string{e.Commit.ID}, e.Commits...) }

// buildSays tells a report in words.
func buildSays(e core.Entry) string {
	number := e.Build.Number
	if number == "" {
		number = e.Build.ID
	}
	return fmt.Sprintf("Travis CI's build %s %s", number, e.Build.State)
}

// reported tells a report in words, in the entry that it decides on: where the
// build is to be seen, and by which request it was told.
func reported(report core.Entry) string {
	text := buildSays(report) + ", says the request " + report.UUID
	if report.Build.URL != "" {
		text += ": " + report.Build.URL
	}
	return text
}
