package apps

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// change describes a switch of an app to another version.
type change struct {
	snapshot    snapshot // what runs
	drones, ram int
	keepActive  bool // the snapshot does not become the active one
	stepwise    bool // a person set the fields and the active snapshot before
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
	d.Drones, d.RAM, d.Crash = c.drones, c.ram, nil
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
	return runner.Version{
		User: d.User, App: d.Name, Snapshot: s.ID, Subdomain: v.Subdomain,
		Dir: filepath.Join(a.o.Snapshots.BuiltDir(d.User, d.Name, s.ID), s.Dir), Node: s.Node, Path: s.Path, Start: s.Start, Health: s.Health,
		Env: env, Drones: v.Drones,
	}, nil
}

// switchTo switches an app to the version of a change, and returns the new
// document. The version is launched beside what runs, becomes visible in one step
// after it is ready, and must then serve for a while; if anything fails before
// that, the app is unchanged. The lock of the app must be held.
func (a *Apps) switchTo(ctx context.Context, d document, c change) (document, error) {
	prepared, err := a.make(d, c)
	if err != nil {
		return document{}, err
	}
	v, err := a.version(prepared, prepared.visible)
	if err != nil {
		return document{}, err
	}
	same := a.same(d, &d.visible, v)
	if err := a.docs.db.View(func(tx *bbolt.Tx) error { return checkFree(tx, prepared) }); err != nil {
		return document{}, err
	}
	candidate, err := a.o.Runner.Launch(ctx, v)
	if core.CodeOf(err) == core.CodePlatformStartFailed {
		a.deactivate(d, c.snapshot.ID)
	}
	if err != nil {
		return document{}, wrapped("starting an app", err)
	}
	former := a.former(d, v)
	d, err = a.docs.update(d.User, d.Name, func(d *document) error {
		before := d.visible
		next, err := a.make(*d, c)
		if err != nil {
			return err
		}
		next.Running = prepared.Running // as it was launched
		if *d = next; same {
			d.pass(former)
		} else {
			d.Before = &before
		}
		return nil
	})
	if err != nil {
		candidate.Abort()
		return document{}, err
	}
	a.endTrial(d.User, d.Name)
	before := a.setCurrent(d.User, d.Name, candidate.Launch())
	candidate.Promote()
	if !same {
		watched, err := a.watch(ctx, candidate, d, former)
		if err != nil {
			err = errors.Join(err, a.takeBack(d))
			a.setCurrent(d.User, d.Name, before)
			candidate.Abort()
			if d.Former != nil {
				a.beginTrial(d.User, d.Name, before)
			}
			return document{}, err
		}
		d = watched
	}
	candidate.Commit()
	if d.Former != nil {
		a.beginTrial(d.User, d.Name, candidate.Launch())
	}
	return d, nil
}

// watch waits until a candidate has served for MinReady, and returns the app's
// document with the candidate as its version.
func (a *Apps) watch(ctx context.Context, candidate runner.Candidate, d document, former *visible) (document, error) {
	if a.o.MinReady > 0 {
		if err := candidate.Watch(ctx, a.o.MinReady); err != nil {
			return document{}, wrapped("watching a new version", err)
		}
	}
	return a.docs.update(d.User, d.Name, func(d *document) error {
		d.pass(former)
		return nil
	})
}

// pass accepts the version that runs. If it crashes while it is on trial, former
// runs again; nil for nothing.
func (d *document) pass(former *visible) {
	d.Before, d.Former = nil, nil
	if former != nil {
		again := *former
		again.Drones, again.RAM = d.Drones, d.RAM
		d.Former = &again
	}
}

// takeBack restores the document from before a version that has not served for
// long enough. If the disk is full, the next start of the server does so.
func (a *Apps) takeBack(d document) error {
	_, err := a.docs.update(d.User, d.Name, func(d *document) error {
		d.bringBack(d.Before)
		d.Before = nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("apps: reverting a version: %w", err)
	}
	return nil
}

// bringBack restores the visible part of d from before the version that runs. A
// snapshot that a person has activated since then stays the active one.
func (d *document) bringBack(v *visible) {
	failed, active := d.Running.Snapshot, d.Active
	d.visible = *v
	if _, ok := d.snapshot(active); ok && active != failed {
		d.Active = active
	}
	if d.Running != nil && d.Active == failed {
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

// setCurrent records the launch that runs, and returns the previous one.
func (a *Apps) setCurrent(user, app, launch string) (before string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before = a.current[key(user, app)]
	a.current[key(user, app)] = launch
	return before
}

// forget removes the launch of an app that is stopped.
func (a *Apps) forget(user, app string) {
	a.endTrial(user, app)
	a.setCurrent(user, app, "")
}
