package apps

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/deployer/platform/drones"
	"github.com/nodejitsu/webhooks/deployer/platform/problem"
)

// Names of refusals to start.
const (
	NameStartFailed = "start_failed" // the app ended or doesn't listen; the message has its last lines
	NameNoSnapshots = "no_snapshots"
)

// Start starts the active snapshot, or the newest where none is active, in the
// place of what runs. It is for the share in the datacenter at, or for all
// where the app doesn't live there. It returns when the app answers; where it
// doesn't, what ran before goes on.
func (a *Apps) Start(ctx context.Context, user, app, at string, o Order) (App, error) {
	return a.run(ctx, user, app, at, o, func(_ standing, _ Cloud, active string) string { return active })
}

// Restart starts what runs anew, with the environment of now; the active
// snapshot where nothing runs. It is for shares as Start is.
func (a *Apps) Restart(ctx context.Context, user, app, at string) (App, error) {
	return a.run(ctx, user, app, at, "", func(now standing, share Cloud, active string) string {
		return cmp.Or(now.runs[share.Datacenter], active)
	})
}

func (a *Apps) run(ctx context.Context, user, app, at string, o Order, choose func(now standing, share Cloud, active string) string) (App, error) {
	release, err := a.hold(ctx, user, app, running)
	if err != nil {
		return App{}, err
	}
	defer release()
	d, err := a.findInOrder(user, app, o)
	if err != nil {
		return App{}, err
	}
	next, ok := d.next()
	if !ok {
		return App{}, problem.New(problem.Invalid, NameNoSnapshots, "Cannot start application with no snapshots")
	}
	now := a.standing(ctx, d)
	// One after the other, so that what doesn't start ends nothing elsewhere.
	for _, share := range d.addressed(at) {
		s, ok := d.snapshot(choose(now, share, d.Active))
		if !ok {
			s = next
		}
		if err := a.switchShare(ctx, d, share, s); err != nil {
			return App{}, err
		}
	}
	if d.Active != next.ID {
		if d, err = a.update(user, app, func(_ *bbolt.Tx, d *document) error { d.Active = next.ID; return nil }); err != nil {
			return App{}, err
		}
	}
	return a.tell(d, a.standing(ctx, d)), nil
}

// switchTo has the supervisor run a snapshot.
func (a *Apps) switchTo(ctx context.Context, d document, share Cloud, s snapshot) error {
	err := a.o.Drones.Switch(ctx, drones.Spec{
		User: d.User, App: d.Name, Snapshot: s.ID, Subdomain: d.Subdomain,
		Dir: a.o.Snapshots.BuiltDir(d.User, d.Name, s.ID), Node: s.Node, Start: s.Start, Health: s.Health,
		Env: d.Env, Drones: share.Drones,
	})
	if failed, ok := errors.AsType[*drones.StartError](err); ok {
		return problem.New(problem.Failed, NameStartFailed, "%s", lastWords(failed))
	}
	if errors.Is(err, drones.ErrClosed) {
		return problem.New(problem.Busy, "busy", "The platform is starting or stopping; try again in a moment")
	}
	return wrapped("starting an app", err)
}

// lastWords returns why an app did not start, with the last that it wrote.
func lastWords(failed *drones.StartError) string {
	var text strings.Builder
	text.WriteString(failed.Reason)
	for _, line := range failed.Lines {
		text.WriteString("\n" + line.Text)
	}
	return text.String()
}

// RolledBack makes the snapshot that was brought back the active one, where
// that is the one that crashed: the next start must not run that again.
func (a *Apps) RolledBack(r drones.Rollback) {
	_, err := a.update(r.User, r.App, func(_ *bbolt.Tx, d *document) error {
		if _, ok := d.snapshot(r.To); ok && d.Active == r.From {
			d.Active = r.To
		}
		return nil
	})
	if err != nil {
		a.o.Logger.Error("snapshot that was brought back is not the active one", "user", r.User, "app", r.App, "snapshot", r.To, "error", err)
	}
}

// Stop ends an app's drones; it returns when none is left. It is for shares as
// Start is.
func (a *Apps) Stop(ctx context.Context, user, app, at string) (App, error) {
	release, err := a.hold(ctx, user, app, running)
	if err != nil {
		return App{}, err
	}
	defer release()
	d, err := a.find(user, app)
	if err != nil {
		return App{}, err
	}
	for _, share := range d.addressed(at) {
		if err := a.stopShare(ctx, d, share); err != nil {
			return App{}, wrapped("stopping an app", err)
		}
	}
	return a.tell(d, a.standing(ctx, d)), nil
}

// Line is a line that a drone of an app wrote.
type Line struct {
	drones.Line
	App string
}

// Logs returns the last rows lines of an app from `from` until `until`, the
// newest first; a zero time is no bound.
func (a *Apps) Logs(ctx context.Context, user, app string, from, until time.Time, rows int) ([]Line, error) {
	d, err := a.find(user, app)
	if err != nil {
		return nil, err
	}
	lines, err := a.o.Drones.LogsBetween(user, app, from, until, rows)
	if err != nil {
		return nil, wrapped("reading the log", err)
	}
	found := make([]Line, len(lines))
	for i, line := range lines {
		found[len(lines)-1-i] = Line{Line: line, App: app}
	}
	if more := a.logsElsewhere(ctx, d, from, until, rows); len(more) > 0 {
		found = append(found, more...)
		newestFirst(found)
	}
	return found[:min(rows, len(found))], nil
}

// AllLogs returns the last rows lines of all apps of a user, as Logs does.
func (a *Apps) AllLogs(ctx context.Context, user string, from, until time.Time, rows int) ([]Line, error) {
	documents, err := a.all(user)
	var found []Line
	for _, d := range documents {
		lines, failure := a.Logs(ctx, user, d.Name, from, until, rows)
		err = errors.Join(err, failure)
		found = append(found, lines...)
	}
	newestFirst(found)
	return found[:min(rows, len(found))], err
}

func newestFirst(lines []Line) {
	slices.SortStableFunc(lines, func(a, b Line) int { return b.Time.Compare(a.Time) })
}
