package apps

import (
	"context"
	"fmt"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// eventOf returns the event of a change of an app's document; ok is false if there is no event of it.
type eventOf func(before, after document) (e Event, ok bool)

// did returns the eventOf of a change that a user makes. "" is a server that deploys,
// which has a record of its own.
func (a *Apps) did(by string) eventOf {
	return func(before, after document) (Event, bool) {
		e := Event{User: before.User, App: before.Name, By: by, Time: a.o.Now().UTC()}
		if by == "" || !e.compare(before, after) {
			return Event{}, false
		}
		if after.Running != nil {
			e.URL = a.o.URL(after.Subdomain)
		}
		return e, true
	}
}

// reportFailure records that the snapshot id, which a user wanted to start, did not
// start in an app that d describes.
func (a *Apps) reportFailure(ctx context.Context, d document, id, by string, failure error) {
	failed := core.AsError(failure)
	if by == "" || failed.Code != core.CodePlatformStartFailed {
		return
	}
	e := Event{
		Kind: EventDeploy, User: d.User, App: d.Name, By: by, Snapshot: id, Time: a.o.Now().UTC(),
		Reason:  fmt.Sprintf("%s tried to start snapshot %s", by, id),
		Failure: &core.EntryError{Code: failed.Code, Reason: failed.Reason, Detail: failed.Detail},
	}
	switch {
	case id == d.running():
		e.Kind = EventRestart
	case d.older(id, d.running()):
		e.Kind = EventRollback
	}
	a.happened(ctx, e)
}

// happened records an event.
func (a *Apps) happened(ctx context.Context, e Event) {
	if err := a.docs.record(e); err != nil {
		a.o.Logger.ErrorContext(ctx, "event of an app not written", "user", e.User, "app", e.App, "event", e.Kind, "error", err)
	}
}

// compare sets what changed from before to after. It returns false if nothing did.
func (e *Event) compare(before, after document) bool {
	from, to := before.running(), after.running()
	e.Snapshot = to
	switch {
	case after.Name == "":
		e.Kind, e.Reason = EventDestroy, e.By+" destroyed the app"
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
	index := func(id string) int {
		return slices.IndexFunc(d.Snapshots, func(s snapshot) bool { return s.ID == id })
	}
	one := index(id)
	return one >= 0 && one < index(than) // in the order in which they were made
}
