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
// place of what runs. It returns when the app answers; where it doesn't, what
// ran before goes on.
func (a *Apps) Start(ctx context.Context, user, app string) (App, error) {
	return a.run(ctx, user, app, func(d document) string { return d.Active })
}

// Restart starts what runs anew, with the environment of now; the active
// snapshot where nothing runs.
func (a *Apps) Restart(ctx context.Context, user, app string) (App, error) {
	return a.run(ctx, user, app, func(d document) string {
		if runs := a.o.Drones.State(user, app).Snapshot; runs != "" {
			return runs
		}
		return d.Active
	})
}

func (a *Apps) run(ctx context.Context, user, app string, choose func(document) string) (App, error) {
	release, err := a.hold(ctx, user, app, running)
	if err != nil {
		return App{}, err
	}
	defer release()
	d, err := a.find(user, app)
	if err != nil {
		return App{}, err
	}
	if len(d.Snapshots) == 0 {
		return App{}, problem.New(problem.Invalid, NameNoSnapshots, "Cannot start application with no snapshots")
	}
	s, ok := d.snapshot(choose(d))
	if !ok {
		s = d.Snapshots[len(d.Snapshots)-1]
	}
	if err := a.switchTo(ctx, d, s); err != nil {
		return App{}, err
	}
	if d.Active != s.ID && !ok {
		if d, err = a.update(user, app, func(_ *bbolt.Tx, d *document) error { d.Active = s.ID; return nil }); err != nil {
			return App{}, err
		}
	}
	return a.tell(d), nil
}

// switchTo has the supervisor run a snapshot.
func (a *Apps) switchTo(ctx context.Context, d document, s snapshot) error {
	err := a.o.Drones.Switch(ctx, drones.Spec{
		User: d.User, App: d.Name, Snapshot: s.ID, Subdomain: d.Subdomain,
		Dir: a.o.Snapshots.BuiltDir(d.User, d.Name, s.ID), Node: s.Node, Start: s.Start,
		Env: d.Env, Drones: d.Cloud.Drones,
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

// Stop ends an app's drones; it returns when none is left.
func (a *Apps) Stop(ctx context.Context, user, app string) (App, error) {
	release, err := a.hold(ctx, user, app, running)
	if err != nil {
		return App{}, err
	}
	defer release()
	d, err := a.find(user, app)
	if err != nil {
		return App{}, err
	}
	if err := a.o.Drones.Halt(ctx, user, app); err != nil {
		return App{}, wrapped("stopping an app", err)
	}
	return a.tell(d), nil
}

// Cloud returns where an app runs: one place.
func (a *Apps) Cloud(user, app string) ([]Cloud, error) {
	d, err := a.find(user, app)
	if err != nil {
		return nil, err
	}
	return []Cloud{d.Cloud}, nil
}

// SetCloud changes how many drones an app has, and the memory that it asks
// for; a field that is empty stays. Where the app runs, it returns when so many
// drones answer.
func (a *Apps) SetCloud(ctx context.Context, user, app string, asked []Cloud) ([]Cloud, error) {
	if len(asked) != 1 {
		return nil, problem.New(problem.Invalid, "invalid", "An app is in one datacenter here; send a list of one")
	}
	want := asked[0]
	if want.Provider != "" && want.Provider != Provider || want.Datacenter != "" && want.Datacenter != Datacenter {
		return nil, problem.New(problem.Invalid, "invalid", "There is no datacenter %.40q %.40q; see GET /endpoints", want.Provider, want.Datacenter)
	}
	if want.Drones < 0 || want.Drones > a.o.MaxDrones || want.RAM < 0 || want.RAM > 1<<20 {
		return nil, problem.New(problem.Invalid, "invalid", "An app may have 1 to %d drones", a.o.MaxDrones)
	}
	release, err := a.hold(ctx, user, app, running)
	if err != nil {
		return nil, err
	}
	defer release()
	d, err := a.find(user, app)
	if err != nil {
		return nil, err
	}
	d.Cloud.Drones = cmp.Or(want.Drones, d.Cloud.Drones)
	d.Cloud.RAM = cmp.Or(want.RAM, d.Cloud.RAM)
	cloud := d.Cloud
	// Written only when it is so: what can't run must not be what is started next.
	state := a.o.Drones.State(user, app)
	if s, ok := d.snapshot(state.Snapshot); ok && state.Wanted != cloud.Drones {
		if err := a.switchTo(ctx, d, s); err != nil {
			return nil, err
		}
	}
	if _, err := a.update(user, app, func(_ *bbolt.Tx, d *document) error { d.Cloud = cloud; return nil }); err != nil {
		return nil, err
	}
	return []Cloud{cloud}, nil
}

// Line is a line that a drone of an app wrote.
type Line struct {
	drones.Line
	App string
}

// Logs returns the last rows lines of an app from `from` until `until`, the
// newest first; a zero time is no bound.
func (a *Apps) Logs(user, app string, from, until time.Time, rows int) ([]Line, error) {
	if _, err := a.find(user, app); err != nil {
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
	return found, nil
}

// AllLogs returns the last rows lines of all apps of a user, as Logs does.
func (a *Apps) AllLogs(user string, from, until time.Time, rows int) ([]Line, error) {
	documents, err := a.all(user)
	var found []Line
	for _, d := range documents {
		lines, failure := a.Logs(user, d.Name, from, until, rows)
		err = errors.Join(err, failure)
		found = append(found, lines...)
	}
	newestFirst(found)
	return found[:min(rows, len(found))], err
}

func newestFirst(lines []Line) {
	slices.SortStableFunc(lines, func(a, b Line) int { return b.Time.Compare(a.Time) })
}
