package apps_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// A version that crashes soon after its start is rolled back completely at the
// first crash. That is an event, and still holds after a restart.
func TestCrashOnTrial(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Trial: time.Hour})
	f.deploy("v1", packageOne)
	before := f.view()
	f.deploy("v2", packageTwo)
	f.runner.done()
	f.runner.crash(false)
	e := f.event()
	const reason = "snapshot v2 crashed, and v1, which ran before, runs again: drone 1 exited with code 1: no database"
	if e.Kind != apps.EventRolledBack || e.User != "me" || e.App != "app" || e.Snapshot != "v2" || e.Former != "v1" || e.Reason != reason || e.Detail != "no database" || e.Time.IsZero() {
		t.Errorf("event %+v", e)
	}
	f.does("launch v1", "promote v1", "commit v1")
	check := func() {
		t.Helper()
		got := f.view()
		if got.Reason != reason || got.Crashed.Snapshot != "v2" || got.Subdomain != before.Subdomain || got.Active.ID != "v1" || got.Running.ID != "v1" || got.Env["FLAG"] != "on" {
			t.Errorf("got %+v", got)
		}
		if runs := f.runner.runs(); runs.Subdomain != "one" || runs.Env["FLAG"] != "on" {
			t.Errorf("it runs %+v", runs)
		}
	}
	check()
	lines, err := f.Logs("me", "app", time.Time{}, time.Time{}, 10)
	if err != nil || len(lines) == 0 || lines[0].Text != reason {
		t.Errorf("the log has %v, %v", lines, err)
	}
	f.restart()
	check()
	f.deploy("v3", packageTwo)
	if got := f.view(); got.Crashed.Snapshot != "" || got.Reason != "" {
		t.Errorf("after another deployment %+v", got)
	}
}

// A rollback is never durable without its event, so that no server that is killed
// keeps it to itself.
func TestRollbackHasItsEvent(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Trial: time.Hour})
	f.deploy("v1", packageOne)
	f.deploy("v2", packageTwo)
	f.unwritable.Store(true)
	f.runner.done()
	f.runner.crash(false)
	if e, got := f.event(), f.view(); e.Kind != apps.EventCrashed || got.Running.ID != "v2" || got.Crashed.Snapshot != "" {
		t.Errorf("event %+v, the app is %+v", e, got)
	}
	f.does("launch v1", "abort v1")
	f.unwritable.Store(false)
	f.runner.crash(false)
	if e := f.event(); e.Kind != apps.EventRolledBack {
		t.Errorf("event %+v", e)
	}
	f.await("the former version", func() bool { return f.view().Running.ID == "v1" }) // the event comes before
}

// The same version with a new environment is rolled back too.
func TestCrashOfANewEnvironment(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Trial: time.Hour})
	f.deploy("v1", packageOne)
	f.update(`{"env":{"MINE":"1"}}`)
	_, err := f.Restart(t.Context(), "me", "app", "")
	f.ok(err)
	f.runner.crash(false)
	if e := f.event(); e.Kind != apps.EventRolledBack || !strings.Contains(e.Reason, "crashed with its new environment, and runs again with the one before") {
		t.Errorf("event %+v", e)
	}
	f.await("the environment before", func() bool { // the event comes before
		_, ok := f.runner.runs().Env["MINE"]
		return !ok
	})
}

// A version that has passed its trial is not rolled back when it crashes later; a
// series of crashes is one event.
func TestCrashAfterTheTrial(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Trial: time.Millisecond})
	f.deploy("v1", packageOne)
	f.deploy("v2", packageTwo)
	f.await("the end of the trial", func() bool { return !f.OnTrial("me", "app") })
	f.runner.done()
	f.runner.crash(false)
	if e := f.event(); e.Kind != apps.EventCrashed || e.Snapshot != "v2" || e.Former != "" || e.Reason != "drone 1 exited with code 1: no database" || e.Detail != "no database" {
		t.Errorf("event %+v", e)
	}
	for range 3 {
		f.runner.crash(true)
	}
	f.runner.crash(false) // another series, soon after the first
	f.Close()
	f.did()
	if len(f.events) > 0 {
		t.Errorf("event %+v", <-f.events)
	}
}

// The first version of an app has none before it.
func TestCrashOfTheFirstVersion(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Trial: time.Hour})
	f.deploy("v1", packageOne)
	f.runner.crash(false)
	if e := f.event(); e.Kind != apps.EventCrashed {
		t.Errorf("event %+v", e)
	}
	if got := f.snapshots(); got != "v1*!" {
		t.Errorf("the app has %s", got)
	}
}

// If the previous version does not start either, the new version keeps running,
// and the error is in the log.
func TestNeitherVersionRuns(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Trial: time.Hour})
	f.deploy("v1", packageOne)
	f.deploy("v2", packageTwo)
	f.runner.launch = func(runner.Version) error { return failedStart() }
	f.runner.crash(false)
	if e := f.event(); e.Kind != apps.EventCrashed || e.Snapshot != "v2" {
		t.Errorf("event %+v", e)
	}
	if got := f.snapshots(); got != "v1 v2*!" {
		t.Errorf("the app has %s", got)
	}
	lines, err := f.Logs("me", "app", time.Time{}, time.Time{}, 10)
	if err != nil || len(lines) == 0 || !strings.Contains(lines[0].Text, "v1, which ran before, does not start again: drone 1 exited with code 1") {
		t.Errorf("the log has %v, %v", lines, err)
	}
	f.runner.launch = nil
	f.runner.crash(true)
	if e := f.event(); e.Kind != apps.EventRolledBack {
		t.Errorf("event %+v", e)
	}
}

// A failed deployment does not end the trial of the running version.
func TestTrialGoesOnAfterAFailedDeployment(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Trial: time.Hour})
	f.deploy("v1", packageOne)
	f.deploy("v2", packageTwo)
	f.runner.launch = func(v runner.Version) error {
		if v.Snapshot == "v3" {
			return failedStart()
		}
		return nil
	}
	f.upload("v3", packageTwo)
	if err := f.start("v3"); core.CodeOf(err) != core.CodePlatformStartFailed {
		t.Errorf("got %v", err)
	}
	f.runner.crash(false)
	if e := f.event(); e.Kind != apps.EventRolledBack || e.Former != "v1" {
		t.Errorf("event %+v", e)
	}
}

// A version that replaces one that crashed is rolled back to the last one that did
// not.
func TestRollbackSkipsCrashedVersion(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Trial: time.Hour})
	f.deploy("v1", packageOne)
	f.deploy("v2", packageTwo)
	f.runner.fall()
	f.deploy("v3", packageTwo)
	f.runner.crash(false)
	if e := f.event(); e.Kind != apps.EventRolledBack || e.Snapshot != "v3" || e.Former != "v1" {
		t.Errorf("event %+v", e)
	}
}

// A restart of the server restarts a trial, unless it has ended long ago.
func TestTrialOutlivesTheServer(t *testing.T) {
	t.Parallel()
	var hours atomic.Int64
	f := setup(t, apps.Options{Trial: time.Hour, Now: func() time.Time { return time.Unix(1e9+hours.Load()*3600, 0) }})
	f.deploy("v1", packageOne)
	f.deploy("v2", packageTwo)
	f.restart()
	f.runner.crash(false)
	if e := f.event(); e.Kind != apps.EventRolledBack || e.Former != "v1" {
		t.Errorf("event %+v", e)
	}
	f.deploy("v3", packageTwo)
	hours.Add(3)
	f.restart()
	f.runner.crash(false)
	if e := f.event(); e.Kind != apps.EventCrashed || e.Snapshot != "v3" {
		t.Errorf("event %+v", e)
	}
}

// An app that can't be resumed keeps no other from it. Its log says so, and it is tried
// again until it runs.
func TestResumeLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, apps.Options{})
		f.deploy("v1", packageOne)
		_, err := f.Create("me", "other", nil)
		f.ok(err)
		_, err = f.Upload(t.Context(), "me", "other", "o1", "", strings.NewReader(packageTwo), io.Discard)
		f.ok(err)
		_, err = f.Start(t.Context(), "me", "other", "o1", "", "")
		f.ok(err)
		f.Close()
		f.ok(f.o.DB.Close())
		f.open()
		var possible atomic.Bool
		f.runner.resume = func(ctx context.Context, v runner.Version) error {
			if v.App == "other" || possible.Load() {
				return nil
			}
			<-ctx.Done()
			return errors.New("the cluster does not answer")
		}
		f.ok(f.Resume(t.Context()))
		f.did("resume v1", "resume o1")
		if lines := f.runner.lines; len(lines) != 1 || !strings.Contains(lines[0].Text, "could not take over the app") {
			t.Errorf("the log has %v", lines)
		}
		possible.Store(true)
		f.does("resume v1")
		time.Sleep(time.Hour)
		f.did()
		if got := f.runner.runs().Snapshot; got != "v1" {
			t.Errorf("it runs %q", got)
		}
	})
}

// An app that was stopped for a version that failed is tried again until it runs.
func TestRestoreLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, apps.Options{})
		const stopFirst = `{"name":"@me/App","webhooks":{"switch":"stop-first"}}`
		f.deploy("v1", stopFirst)
		f.upload("v2", stopFirst)
		f.runner.launch = func(runner.Version) error { return failedStart() }
		tries := 0
		f.runner.resume = func(context.Context, runner.Version) error {
			if tries++; tries < 3 {
				return errors.New("the cluster does not answer")
			}
			return nil
		}
		f.runner.done()
		if err := f.start("v2"); core.CodeOf(err) != core.CodePlatformStartFailed {
			t.Errorf("it fails with %v", err)
		}
		time.Sleep(time.Hour)
		f.did("halt", "launch v2", "halt", "resume v1", "resume v1", "resume v1")
		if got := f.runner.runs().Snapshot; got != "v1" {
			t.Errorf("it runs %q", got)
		}
	})
}

// An app that could not be resumed and is stopped or started meanwhile is not resumed.
func TestNotResumedLater(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(f *fixture) error{
		"started":   func(f *fixture) error { return f.start("v1") },
		"stopped":   func(f *fixture) error { _, err := f.Stop(f.t.Context(), "me", "app", ""); return err },
		"destroyed": func(f *fixture) error { return f.Destroy(f.t.Context(), "me", "app", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := setup(t, apps.Options{})
				f.deploy("v1", packageOne)
				f.Close()
				f.ok(f.o.DB.Close())
				f.open()
				f.runner.resume = func(context.Context, runner.Version) error { return errors.New("no") }
				f.ok(f.Resume(t.Context()))
				f.ok(do(f))
				f.runner.done()
				time.Sleep(time.Hour)
				f.did()
			})
		})
	}
}
