package apps

import (
	"fmt"

	"github.com/nodejitsu/webhooks/core"
)

// Report calls do, which changes what an app runs as the user by asks for, and calls
// Options.Events with what changed, if anything did, or with the failure of a start.
// wanted is the snapshot that do is to start; "" for the active one.
func (a *Apps) Report(by, user, app, wanted string, do func() error) error {
	before, err := a.docs.find(user, app)
	if err != nil {
		return do() // which fails with the same
	}
	failure := do()
	e := Event{User: user, App: app, By: by, Time: a.o.Now().UTC()}
	after, err := a.docs.find(user, app)
	switch code := core.CodeOf(failure); {
	case failure != nil && code == core.CodePlatformStartFailed:
		next, _ := before.next()
		e.Failure = &core.EntryError{Code: code, Reason: core.AsError(failure).Reason, Detail: core.AsError(failure).Detail}
		if e.Kind, e.Snapshot = EventDeploy, next.ID; wanted != "" {
			e.Snapshot = wanted
		}
		switch {
		case e.Snapshot == before.running():
			e.Kind = EventRestart
		case before.older(e.Snapshot, before.running()):
			e.Kind = EventRollback
		}
		e.Reason = fmt.Sprintf("%s tried to start snapshot %s", by, e.Snapshot)
	case failure != nil:
		return failure
	case core.CodeOf(err) == core.CodePlatformAppNotFound:
		e.Kind, e.Reason = EventDestroy, by+" destroyed the app"
	case err != nil || !e.compare(before, after):
		return nil
	case after.Running != nil:
		e.URL = a.o.URL(after.Subdomain)
	}
	a.happened(e)
	return failure
}

// happened records an event.
func (a *Apps) happened(e Event) {
	if err := a.docs.record(e); err != nil {
		a.o.Logger.Error("event of an app not written", "user", e.User, "app", e.App, "event", e.Kind, "error", err)
	}
}

// compare sets what changed from before to after. It returns false if nothing did.
func (e *Event) compare(before, after document) bool {
	from, to := before.running(), after.running()
	e.Snapshot = to
	switch {
	case to == "" && from == "":
		return false
	case to == "":
		e.Kind, e.Reason = EventStop, e.By+" stopped the app"
	case from == "":
		e.Kind, e.Reason = EventDeploy, fmt.Sprintf("%s started snapshot %s", e.By, to)
	case from == to && before.Drones != after.Drones:
		e.Kind, e.Reason = EventScale, fmt.Sprintf("%s changed the number of drones from %d to %d", e.By, before.Drones, after.Drones)
	case from == to && before.Running.Since.Equal(after.Running.Since):
		return false
	case from == to:
		e.Kind, e.Reason = EventRestart, fmt.Sprintf("%s restarted snapshot %s", e.By, to)
	case after.older(to, from):
		e.Kind, e.Replaced, e.Reason = EventRollback, from, fmt.Sprintf("%s rolled back from snapshot %s to %s", e.By, from, to)
	default:
		e.Kind, e.Reason = EventDeploy, fmt.Sprintf("%s deployed snapshot %s", e.By, to)
	}
	return true
}

// running returns the id of the snapshot that runs, "" if none does.
func (d document) running() string {
	if d.Running == nil {
		return ""
	}
	return d.Running.Snapshot
}

// older reports whether a snapshot was made before another one.
func (d document) older(id, than string) bool {
	one, ok := d.snapshot(id)
	other, known := d.snapshot(than)
	return ok && known && one.CTime.Before(other.CTime)
}
