package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodejitsu/webhooks/core"
)

// report applies the report of a build to the pushes that wait for it. If there
// is none, it deploys the commit itself or waits for its push.
func (a *attempt) report(ctx context.Context) (string, result) {
	report := a.get()
	known, err := a.byCommit(ctx, report)
	if err != nil {
		return "", failure(core.Transient(fmt.Errorf("reading the pushes of the commit: %w", err), 0))
	}
	var pushes counts
	for _, c := range known {
		push := c.Entry
		if push.Kind != core.EventPush || report.User != "" && report.User != push.User {
			continue
		}
		applied, err := a.apply(ctx, report, push, known)
		if errors.Is(err, core.ErrConflict) {
			return "", failure(core.Transient(fmt.Errorf("applying the report: %w", errPushMoved), appBusyWait))
		}
		if err != nil {
			return "", failure(core.Transient(fmt.Errorf("applying the report: %w", err), 0))
		}
		pushes.add(applied)
		if applied == appliedReleased && push.User == report.User {
			a.set(func(e *core.Entry) {
				if e.Releases == "" {
					e.Releases = push.ID
				}
			})
		}
	}
	r := a.reportResult(report, pushes)
	return r.reason, r
}

// errPushMoved makes a report look again at a push that was changed meanwhile.
var errPushMoved = errors.New("the push was changed at the same time")

// application is what a report did to a push.
type application int

const (
	appliedNothing  application = iota // the push does not wait for it
	appliedDeployed                    // the push was deployed before
	appliedCounted                     // the push waits for more
	appliedReleased                    // the push goes on, or its own gate finds the report
	appliedSkipped                     // the push is skipped
	appliedWoken                       // the push looks at its checks again
)

// counts is how many pushes a report was applied to, and how.
type counts map[application]int

func (c *counts) add(applied application) {
	if *c == nil {
		*c = counts{}
	}
	(*c)[applied]++
}

// apply applies a report to a push. known are the entries of the commit.
func (a *attempt) apply(ctx context.Context, report, push core.Entry, known []core.Change) (application, error) {
	passed := report.Build.State == core.BuildPassed
	if report.Build.Gate == gateChecks {
		return a.wake(ctx, report, push)
	}
	switch {
	case push.Status == core.StatusPending && passed:
		return appliedReleased, nil // its own gate finds the report
	case push.Status == core.StatusPending:
		return appliedSkipped, nil
	case push.Status == core.StatusOK:
		return appliedDeployed, nil
	case !waitsFor(push, *report.Build), push.Status == core.StatusIgnored:
		return appliedNothing, nil
	case push.Status != core.StatusHeld && (!passed || !report.Authentic):
		// Only its user's report of a pass starts a push again that was skipped, as by
		// an earlier report or because its time was over, or that failed. If something
		// newer was accepted since, the push finds that out itself.
		return appliedNothing, nil
	}
	push = push.Clone()
	push.Notes = append(push.Notes, reported(report))
	switch v := verdictOn(push, known); v.state {
	case gatePassed:
		_, err := a.release(ctx, push, v.reason())
		return appliedReleased, err
	case gateFailed:
		if push.Status != core.StatusHeld {
			return appliedNothing, nil
		}
		return appliedSkipped, a.settle(ctx, push, core.StatusSkipped, v.reason())
	default:
		return appliedCounted, nil
	}
}

// reportResult is the outcome of a report that was applied to those pushes.
func (a *attempt) reportResult(report core.Entry, pushes counts) result {
	says := buildSays(report)
	switch {
	case pushes[appliedWoken] > 0:
		return done("The push of the commit looks at its checks again")
	case report.Build.Gate == gateChecks:
		return ignored("No push of the commit waits for its checks; one that comes looks at them")
	case report.Build.State != core.BuildPassed && pushes[appliedSkipped] > 0:
		return skipped("%s: the push that waited for it is not deployed", says)
	case report.Build.State != core.BuildPassed:
		return skipped("%s: nothing is deployed", says)
	case pushes[appliedReleased] > 0:
		return done("Released the push of the commit")
	case pushes[appliedSkipped] > 0:
		return skipped("%s, and another build of the commit did not pass", says)
	case pushes[appliedCounted] > 0:
		return done("Counts for the push of the commit, which waits for more")
	case pushes[appliedDeployed] > 0:
		return skipped("The push of the commit was deployed already")
	case !report.Build.Deploys:
		return ignored("No push waits for the build; one that comes finds it")
	case !report.Authentic:
		now := a.Now()
		return result{next: hold, hold: core.Hold{For: "the push of the commit", Since: now, Until: now.Add(a.HoldTimeout)}}
	case report.DeployBranch != "" && report.Branch != report.DeployBranch:
		return ignored(otherBranch("build", report.Branch, report.DeployBranch))
	}
	// Nothing waits, and the sender is the user: the build deploys the commit, from
	// here on as a push would, in the lane that it enters now.
	a.set(func(e *core.Entry) { e.Released = says })
	return result{next: requeue, place: Place{Lane: lane(report), At: a.Now()}}
}
