package apps

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/drones"
)

// Start starts the active snapshot, or the newest where none is active, in the
// place of what runs. It returns when the app answers; if it doesn't, what ran
// before goes on.
func (a *Apps) Start(ctx context.Context, user, app string, o Order) (App, error) {
	return a.run(ctx, user, app, o, func(_ standing, active string) string { return active })
}

// Restart starts what runs anew, with the environment of now; the active
// snapshot if nothing runs.
func (a *Apps) Restart(ctx context.Context, user, app string) (App, error) {
	return a.run(ctx, user, app, "", func(now standing, active string) string { return cmp.Or(now.snapshot, active) })
}

func (a *Apps) run(ctx context.Context, user, app string, o Order, choose func(now standing, active string) string) (App, error) {
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
		return App{}, core.NewError(core.CodePlatformNoSnapshots, "", nil)
	}
	s, ok := d.snapshot(choose(a.standing(d), d.Active))
	if !ok {
		s = next
	}
	if err := a.switchTo(ctx, d, s, d.Cloud[0].Drones); err != nil {
		return App{}, err
	}
	if d.Active != next.ID {
		if d, err = a.update(user, app, func(_ *bbolt.Tx, d *document) error { d.Active = next.ID; return nil }); err != nil {
			return App{}, err
		}
	}
	return a.tell(d, a.standing(d)), nil
}

// switchTo has the supervisor run a snapshot.
func (a *Apps) switchTo(ctx context.Context, d document, s snapshot, drone int) error {
	err := a.o.Drones.Switch(ctx, drones.Spec{
		User: d.User, App: d.Name, Snapshot: s.ID, Subdomain: d.Subdomain,
		Dir: filepath.Join(a.o.Snapshots.BuiltDir(d.User, d.Name, s.ID), s.Dir), Node: s.Node, Path: s.Path, Start: s.Start, Health: s.Health,
		Env: overlaid(d.Env, s.Env), Drones: drone,
	})
	if failed, ok := errors.AsType[*drones.StartError](err); ok {
		return &core.Error{Code: core.CodePlatformStartFailed, Reason: failed.Reason, Detail: lastLines(failed)}
	}
	if errors.Is(err, drones.ErrClosed) {
		return core.NewError(core.CodePlatformBusy, "", nil)
	}
	return wrapped("starting an app", err)
}

// overlaid returns an environment with another one over it.
func overlaid(below, over map[string]string) map[string]string {
	env := maps.Clone(over)
	if env == nil {
		env = map[string]string{}
	}
	for name, value := range below {
		if _, ok := env[name]; !ok {
			env[name] = value
		}
	}
	return env
}

// lastLines returns the last lines that an app wrote which did not start.
func lastLines(failed *drones.StartError) string {
	var lines []string
	for _, line := range failed.Lines {
		lines = append(lines, line.Text)
	}
	return strings.Join(lines, "\n")
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
	return a.tell(d, a.standing(d)), nil
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
	slices.SortStableFunc(found, func(a, b Line) int { return b.Time.Compare(a.Time) })
	return found[:min(rows, len(found))], err
}
