package apps

import (
	"context"
	"fmt"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// Event is a change of what an app runs, or a crash, that is not a deployment of a
// server.
type Event struct {
	Kind     EventKind        `json:"kind"`
	User     string           `json:"user"`
	App      string           `json:"app"`
	By       string           `json:"by,omitempty"`       // the user who did it; "" for the platform
	Snapshot string           `json:"snapshot,omitempty"` // that crashed or, of what a user does, that runs or was to run
	Former   string           `json:"former,omitempty"`   // that runs again, of EventRolledBack
	Replaced string           `json:"replaced,omitempty"` // that ran until then, of EventRollback
	URL      string           `json:"url,omitempty"`      // of the app, if it runs
	Reason   string           `json:"reason"`             // a sentence for the app's author
	Detail   string           `json:"detail,omitempty"`   // the last lines that the drone wrote
	Failure  *core.EntryError `json:"failure,omitempty"`  // of what a user does; nil if it went well
	Time     time.Time        `json:"time"`
}

// EventKind is what happened.
type EventKind string

// The kinds of events.
const (
	EventRolledBack EventKind = "rolled_back" // a version crashed soon after its start, and what ran before runs again
	EventCrashed    EventKind = "crashed"     // a drone crashed, and is started again

	// What users do.
	EventDeploy   EventKind = "deploy"   // started a newer snapshot, or an app that did not run
	EventRollback EventKind = "rollback" // started an older snapshot than the one that ran
	EventRestart  EventKind = "restart"  // started the same snapshot again
	EventScale    EventKind = "scale"    // changed the number of drones
	EventStop     EventKind = "stop"
	EventDestroy  EventKind = "destroy"
)

// reportEvery bounds how often an app's crashes are events.
const reportEvery = 10 * time.Minute

// trial is the time in which a crash of a version rolls back to the previous one.
type trial struct {
	launch string
	timer  *time.Timer
}

// beginTrial begins the trial of what runs.
func (a *Apps) beginTrial(user, app, launch string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	t := &trial{launch: launch}
	t.timer = time.AfterFunc(a.o.Trial, func() {
		a.background(func(ctx context.Context) { a.passed(ctx, user, app, t) })
	})
	a.trials[key(user, app)] = t
}

// endTrial ends the trial of what runs, if there is one.
func (a *Apps) endTrial(user, app string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.trials[key(user, app)]; t != nil {
		t.timer.Stop()
		delete(a.trials, key(user, app))
	}
}

// passed removes the former version of a version that has passed its trial.
func (a *Apps) passed(ctx context.Context, user, app string, t *trial) {
	release, err := a.acquireRun(ctx, user, app)
	if err != nil {
		return
	}
	defer release()
	a.mu.Lock()
	on := a.trials[key(user, app)] == t
	if on {
		delete(a.trials, key(user, app))
	}
	a.mu.Unlock()
	if !on {
		return
	}
	_, err = a.docs.update(user, app, func(d *document) error {
		d.Former = nil
		return nil
	})
	if err != nil {
		// If the server restarts soon, the version is on trial again, which is
		// acceptable.
		a.o.Logger.Warn("writing the end of a trial failed", "user", user, "app", app, "error", err)
	}
}

// Crashed must be called for each crash of a drone. It does not block.
func (a *Apps) Crashed(c runner.Crash) {
	c.Reason = startup.Cause(c.Reason, c.Detail, a.o.Snapshots.BuiltDir(c.User, c.App, c.Snapshot))
	a.background(func(ctx context.Context) {
		if a.rollBack(ctx, c) {
			return
		}
		now := a.o.Now()
		a.mu.Lock()
		last, reported := a.reported[key(c.User, c.App)]
		quiet := c.Again || reported && now.Sub(last) < reportEvery
		if !quiet {
			a.reported[key(c.User, c.App)] = now
		}
		a.mu.Unlock()
		if !quiet {
			a.happened(ctx, Event{
				Kind: EventCrashed, User: c.User, App: c.App, Snapshot: c.Snapshot, Reason: c.Reason, Detail: c.Detail, Time: now.UTC(),
			})
		}
	})
}

// rollBack rolls back to the version before the one that crashed, if that is on
// trial, and reports whether it did.
func (a *Apps) rollBack(ctx context.Context, c runner.Crash) bool {
	if !a.onTrial(c) {
		return false
	}
	release, err := a.acquireRun(ctx, c.User, c.App)
	if err != nil {
		return false
	}
	defer release()
	if !a.onTrial(c) {
		return false // it has been replaced, or has passed its trial
	}
	d, err := a.docs.find(c.User, c.App)
	if err != nil || d.Former == nil || d.Former.Running == nil {
		return false
	}
	log := a.o.Logger.With("user", c.User, "app", c.App, "snapshot", c.Snapshot, "former", d.Former.Running.Snapshot)
	reason := fmt.Sprintf("snapshot %s crashed, and %s, which ran before, runs again: %s", c.Snapshot, d.Former.Running.Snapshot, c.Reason)
	if d.Former.Running.Snapshot == c.Snapshot {
		reason = fmt.Sprintf("snapshot %s crashed with its new environment, and runs again with the one before: %s", c.Snapshot, c.Reason)
	}
	event := Event{
		Kind: EventRolledBack, User: c.User, App: c.App, Snapshot: c.Snapshot, Former: d.Former.Running.Snapshot,
		Reason: reason, Detail: c.Detail, Time: a.o.Now().UTC(),
	}
	if err := a.bringBack(ctx, d, event); err != nil {
		if ctx.Err() == nil {
			log.Error("rollback failed", "error", err)
			a.o.Runner.Note(c.User, c.App, fmt.Sprintf("snapshot %s, which ran before, does not start again: %s", event.Former, reasonOf(ctx, err)))
		}
		return false
	}
	log.Warn("version rolled back", "reason", c.Reason)
	a.o.Runner.Note(c.User, c.App, reason)
	return true
}

// onTrial reports whether a crash is of a version that is on trial.
func (a *Apps) onTrial(c runner.Crash) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.trials[key(c.User, c.App)]
	return t != nil && t.launch == c.Launch && a.current[key(c.User, c.App)] == c.Launch
}

// bringBack starts the former version. That, and the event, are durable in one step,
// so that no rollback remains unknown if the server is killed.
func (a *Apps) bringBack(ctx context.Context, d document, why Event) error {
	v, err := a.version(d, *d.Former)
	if err != nil {
		return err
	}
	s, _ := d.snapshot(v.Snapshot)
	if s.StopFirst {
		if err := a.halt(ctx, d); err != nil {
			return err
		}
	}
	candidate, err := a.o.Runner.Launch(ctx, v)
	if err != nil {
		if s.StopFirst {
			a.restore(ctx, d)
		}
		return err
	}
	_, err = a.docs.update(d.User, d.Name, func(d *document) error {
		d.bringBack(d.Former)
		d.Former, d.Crash = nil, &crash{Snapshot: why.Snapshot, Reason: why.Reason, Time: why.Time}
		return nil
	}, func(document, document) (Event, bool) { return why, true })
	if err != nil {
		candidate.Abort()
		if s.StopFirst {
			a.restore(ctx, d)
		}
		return err
	}
	a.endTrial(d.User, d.Name)
	a.setCurrent(d.User, d.Name, candidate.Launch())
	candidate.Commit(0)
	return nil
}

const (
	// resumeLimit is how long Resume waits for one app: what keeps it from being resumed must
	// not keep the others.
	resumeLimit = 30 * time.Second
	// resumeAgain is the pause before an app is tried again, and againLimit how long it waits
	// then: other changes of the app wait for that.
	resumeAgain = 10 * time.Second
	againLimit  = 5 * time.Minute
)

// Resume starts what ran when the server stopped, and does not wait for it. An app that
// can't be resumed is left as it is, which its log says, and tried again in the background.
// From then on commands are run by the clock.
func (a *Apps) Resume(ctx context.Context) error {
	all, err := a.docs.all("")
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Running == nil {
			continue
		}
		limit, cancel := context.WithTimeout(ctx, resumeLimit)
		err := a.resume(limit, d)
		cancel()
		if ctx.Err() != nil {
			return wrapped("resuming the apps", ctx.Err())
		}
		if err != nil {
			a.o.Logger.ErrorContext(ctx, "resuming an app failed", "user", d.User, "app", d.Name, "error", err)
			// This also tells the runner about the app, which EndOthers then leaves alone.
			a.o.Runner.Note(d.User, d.Name, "the platform was restarted and could not take over the app; it leaves the app as it is, and tries again every "+resumeAgain.String()+": "+reasonOf(ctx, err))
			a.resumeLater(d.User, d.Name)
		}
	}
	a.background(a.followClock)
	return nil
}

// resumeLater resumes an app in the background, as soon as that is possible, unless it is
// started or stopped before.
func (a *Apps) resumeLater(user, app string) {
	a.background(func(ctx context.Context) {
		again := time.NewTicker(resumeAgain)
		defer again.Stop()
		for done := false; !done; {
			select {
			case <-again.C:
				done = a.tryResume(ctx, user, app)
			case <-ctx.Done():
				return
			}
		}
	})
}

// tryResume resumes an app. It reports false if that must be tried again.
func (a *Apps) tryResume(ctx context.Context, user, app string) (done bool) {
	release, err := a.acquireRun(ctx, user, app)
	if err != nil {
		return true // it was destroyed, or Apps is closed
	}
	defer release()
	d, err := a.docs.find(user, app)
	a.mu.Lock()
	started := a.current[key(user, app)] != ""
	a.mu.Unlock()
	if err != nil || d.Running == nil || started {
		return true
	}
	limit, cancel := context.WithTimeout(ctx, againLimit)
	defer cancel()
	if err := a.resume(limit, d); err != nil {
		return false // it was logged
	}
	a.o.Runner.Note(user, app, "the app runs again")
	a.o.Logger.InfoContext(ctx, "app resumed", "user", user, "app", app)
	return true
}

func (a *Apps) resume(ctx context.Context, d document) error {
	if d.Former != nil && a.o.Now().Sub(d.Running.Since) > 2*a.o.Trial {
		d.Former = nil // its trial is over; the next change writes that
	}
	v, err := a.version(d, d.visible)
	if err != nil {
		return err
	}
	launch, err := a.o.Runner.Resume(ctx, v)
	if err != nil {
		return err
	}
	a.setCurrent(d.User, d.Name, launch)
	if d.Former != nil {
		a.beginTrial(d.User, d.Name, launch)
	}
	return nil
}
