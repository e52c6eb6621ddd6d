package apps

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// change describes a switch of an app to another version.
type change struct {
	snapshot   snapshot // what runs
	drones     int
	limits     limits
	keepActive bool   // the snapshot does not become the active one
	stepwise   bool   // a person set the fields and the active snapshot before
	by         string // the user who makes it; "" for a server that deploys
}

// make returns d with the change applied.
func (a *Apps) make(d document, c change) (document, error) {
	env, err := a.docs.openEnv(d, d.Set.Env, c.snapshot.Env)
	if err != nil {
		return document{}, err
	}
	active := d.Active
	d.apply(c.snapshot, c.stepwise)
	if c.keepActive {
		d.Active = active
	}
	d.Drones, d.Limits, d.Crash = c.drones, c.limits, nil
	d.Running = &running{Snapshot: c.snapshot.ID, Since: a.o.Now().UTC()}
	d.Running.Env, err = a.docs.sealEnv(d.User, d.Name, env)
	return d, err
}

// version returns the version of an app for the runner.
func (a *Apps) version(d document, v visible) (runner.Version, error) {
	s, ok := d.snapshot(v.Running.Snapshot)
	if !ok {
		return runner.Version{}, noSnapshot(v.Running.Snapshot)
	}
	env, err := a.docs.openEnv(d, v.Running.Env)
	if err != nil {
		return runner.Version{}, err
	}
	dir := a.o.Snapshots.BuiltDir(d.User, d.Name, s.ID)
	static := ""
	if s.Static != "" {
		static = filepath.Join(dir, s.Static)
	}
	ids := make([]string, len(d.Snapshots))
	for i, s := range d.Snapshots {
		ids[i] = s.ID
	}
	return runner.Version{
		User: d.User, App: d.Name, Snapshot: s.ID, Subdomain: v.Subdomain, Domains: v.Domains, Order: string(d.Order), Snapshots: ids,
		Root: dir, NodeVersion: s.NodeVersion, Dir: filepath.Join(dir, s.Dir), Static: static, Fallback: s.Fallback, Node: s.Node, Path: s.Path, Start: s.Start, Processes: s.Processes, Health: s.Health,
		Env: env, Sticky: s.Sticky, StopFirst: s.StopFirst, Limits: v.Limits.runner(), Drones: v.Drones,
	}, nil
}

// switchTo switches an app to the version of a change, and returns the new
// document. The version is launched beside what runs, and becomes visible in one
// step after it has proven itself; if anything fails before that, the app is
// unchanged. A snapshot that a person activates meanwhile stays the active one. The
// event of the switch is recorded in that step. The lock of the app must be held.
func (a *Apps) switchTo(ctx context.Context, d document, c change) (document, error) {
	prepared, err := a.make(d, c)
	if err != nil {
		return document{}, err
	}
	began := d.Active
	v, err := a.version(prepared, prepared.visible)
	if err != nil {
		return document{}, err
	}
	if err := a.docs.db.View(func(tx *bbolt.Tx) error { return checkFree(tx, prepared) }); err != nil {
		return document{}, err
	}
	l := launch{version: v, snapshot: c.snapshot, same: a.same(d, &d.visible, v)}
	former := a.former(d, v)
	a.noteStart(d, c.snapshot.ID)
	candidate, restore, err := a.launch(ctx, d, l)
	explain(err, v)
	if core.CodeOf(err) == core.CodePlatformStartFailed {
		a.deactivate(d, c.snapshot.ID)
	}
	if err != nil {
		a.noteFailure(ctx, d, c.snapshot.ID, err)
		a.reportFailure(ctx, d, c.snapshot.ID, c.by, err)
		return document{}, wrapped("starting an app", err)
	}
	d, err = a.docs.update(d.User, d.Name, func(d *document) error {
		c := c
		c.keepActive = c.keepActive || d.Active != began
		next, err := a.make(*d, c)
		if err != nil {
			return err
		}
		next.Running = prepared.Running // as it was launched
		*d = next
		d.served(c.snapshot.ID)
		d.pass(former)
		return nil
	}, a.did(c.by))
	if err != nil {
		candidate.Abort()
		restore()
		return document{}, err
	}
	a.replace(d, l, candidate)
	a.noteStarted(d, c.snapshot.ID)
	return d, nil
}

// explain adds to the reason of a failed start what the app printed about it.
func explain(err error, v runner.Version) {
	if failed, ok := errors.AsType[*core.Error](err); ok && failed.Code == core.CodePlatformStartFailed {
		failed.Reason = startup.Cause(failed.Reason, failed.Detail, v.Root)
	}
}

// launch describes a version to be launched.
type launch struct {
	version  runner.Version
	snapshot snapshot
	same     bool // as what runs
}

// launch runs the release command of a version, launches the version beside what
// runs, and returns when it has been up for MinReady. Requests go to it only then,
// unless nothing else can answer them. Before a version that suffers no second
// copy, what runs is stopped; restore starts that again.
func (a *Apps) launch(ctx context.Context, d document, l launch) (c runner.Candidate, restore func(), err error) {
	restore = func() {}
	if l.snapshot.StopFirst && d.Running != nil {
		if err := a.halt(ctx, d); err != nil {
			return nil, nil, err
		}
		restore = func() { a.restore(ctx, d) }
	}
	if err = a.release(ctx, l); err == nil {
		c, err = a.o.Runner.Launch(ctx, l.version)
	}
	if err != nil {
		restore()
		return nil, nil, err
	}
	if a.o.Runner.State(d.User, d.Name).Drones == 0 {
		c.Promote()
	}
	if a.o.MinReady > 0 && !l.same {
		if err := c.Watch(ctx, a.o.MinReady); err != nil {
			c.Abort()
			restore()
			return nil, nil, err
		}
	}
	return c, restore, nil
}

// release runs the release command of a version that is new.
func (a *Apps) release(ctx context.Context, l launch) error {
	if l.snapshot.Release == "" || l.same {
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, a.o.ReleaseTimeout)
	defer cancel()
	exit, err := a.o.Runner.Run(limit, l.version, runner.Command{Name: "release", Shell: l.snapshot.Release})
	switch {
	case err != nil && ctx.Err() == nil && limit.Err() != nil:
		return core.Errorf(core.CodePlatformStartFailed, "the release command of the Procfile took longer than %v and was ended; its output is in the app's log", a.o.ReleaseTimeout)
	case err != nil:
		return err
	case exit.Code != 0:
		return &core.Error{
			Code: core.CodePlatformStartFailed, Detail: exit.Detail,
			Reason: fmt.Sprintf("the release command of the Procfile, %.100s, %s", l.snapshot.Release, exit.Reason),
		}
	}
	return nil
}

// halt stops what runs, for a version that must not run beside another. If that is
// interrupted, what was stopped is started again.
func (a *Apps) halt(ctx context.Context, d document) error {
	err := a.o.Runner.Halt(ctx, d.User, d.Name)
	if err != nil && a.o.Runner.State(d.User, d.Name).Phase == runner.Stopped {
		a.restore(ctx, d)
	}
	return err
}

// restoreLimit is how long a restore goes on after Close: the next server starts what
// the document describes.
const restoreLimit = 5 * time.Second

// endLimit is how long a restore waits for the end of what failed.
const endLimit = 2 * time.Minute

// restore starts again what was stopped for a version that failed, also if the caller
// has left. Before that it waits until nothing of the app runs, as a candidate that was
// aborted may still have requests. What can't be ended does not keep the app down.
func (a *Apps) restore(ctx context.Context, d document) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(a.life, func() { time.AfterFunc(restoreLimit, cancel) })() //nolint:contextcheck // whichever ends first
	limit, stop := context.WithTimeout(ctx, endLimit)
	defer stop()
	if err := a.o.Runner.Halt(limit, d.User, d.Name); err != nil {
		a.o.Logger.WarnContext(ctx, "version that failed not ended before the one before starts again", "user", d.User, "app", d.Name, "error", err)
	}
	v, err := a.version(d, d.visible)
	if err == nil {
		var launch string
		if launch, err = a.o.Runner.Resume(ctx, v); err == nil {
			a.setCurrent(d.User, d.Name, launch)
			a.endTrial(d.User, d.Name)
			if d.Former != nil {
				a.beginTrial(d.User, d.Name, launch)
			}
		}
	}
	if err != nil {
		a.o.Logger.ErrorContext(ctx, "app not started again after its next version failed", "user", d.User, "app", d.Name, "error", err)
		a.forget(d.User, d.Name)
		a.resumeLater(d.User, d.Name)
	}
}

// replace replaces what runs by a candidate, which d describes.
func (a *Apps) replace(d document, l launch, c runner.Candidate) {
	a.endTrial(d.User, d.Name)
	a.setCurrent(d.User, d.Name, c.Launch())
	standby := a.o.MinReady
	if l.same || l.snapshot.StopFirst || len(l.version.Processes) > 0 {
		standby = 0 // other processes than web must not do their work twice for long
	}
	c.Commit(standby)
	if d.Former != nil {
		a.beginTrial(d.User, d.Name, c.Launch())
	}
}

// pass accepts the version that runs. If it crashes while it is on trial, former
// runs again; nil for nothing.
func (d *document) pass(former *visible) {
	d.Former = nil
	if former != nil {
		again := *former
		again.Drones = d.Drones
		d.Former = &again
	}
}

// bringBack restores the visible part of d before the version that runs. A
// snapshot that a person has activated since then stays the active one.
func (d *document) bringBack(v *visible) {
	failed, active := d.Running.Snapshot, d.Active
	d.visible = *v
	if _, ok := d.snapshot(active); ok && active != failed {
		d.Active = active
	}
	if d.Active == failed {
		d.Active = d.Running.Snapshot // it was activated before its start
	}
}

// deactivate makes what runs the active snapshot again, after the snapshot that a
// person had activated did not start, as the next start must not run it.
func (a *Apps) deactivate(d document, id string) {
	if d.Running == nil || d.Active != id || d.Running.Snapshot == id {
		return
	}
	_, err := a.docs.update(d.User, d.Name, func(d *document) error {
		if d.Active == id && d.Running != nil {
			d.Active = d.Running.Snapshot
		}
		return nil
	})
	if err != nil {
		a.o.Logger.Warn("snapshot that does not start is still the active one", "user", d.User, "app", d.Name, "snapshot", id, "error", err)
	}
}

// former returns what is to run again if the new version v crashes: the last
// version that has not crashed; nil for none.
func (a *Apps) former(d document, v runner.Version) *visible {
	former := &d.visible
	state := a.o.Runner.State(d.User, d.Name)
	weak := state.Phase == runner.Crashed || d.Former != nil && state.Restarts > 0
	if d.Running == nil || weak || a.same(d, former, v) {
		former = d.Former
	}
	if former == nil || former.Running == nil || a.same(d, former, v) {
		return nil
	}
	return former
}

// same reports whether a version is the same as what ran.
func (a *Apps) same(d document, v *visible, other runner.Version) bool {
	if v.Running == nil {
		return false
	}
	version, err := a.version(d, *v)
	return err == nil && version.Same(other)
}

// setCurrent records the launch that runs.
func (a *Apps) setCurrent(user, app, launch string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current[key(user, app)] = launch
}

// forget removes the launch of an app that is stopped.
func (a *Apps) forget(user, app string) {
	a.endTrial(user, app)
	a.setCurrent(user, app, "")
}
