package apps_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// What a user does to what runs is an event that says who did it.
func TestReport(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.upload("v1", packageOne)
	f.upload("v2", packageTwo)
	start := func(id, by string) error {
		_, err := f.Start(t.Context(), "me", "app", id, "", by)
		return err
	}
	var replaced string
	happened := func(kind apps.EventKind, snapshot, url, reason string) {
		t.Helper()
		e := f.event()
		replaced = e.Replaced
		if e.Kind != kind || e.By != "me" || e.User != "me" || e.App != "app" || e.Snapshot != snapshot || e.URL != url || e.Reason != reason || e.Time.IsZero() {
			t.Errorf("got %+v, want %s of %q: %s", e, kind, snapshot, reason)
		}
	}
	f.ok(start("v1", "me"))
	happened(apps.EventDeploy, "v1", "http://one", "me started snapshot v1")
	f.ok(start("v2", "me"))
	happened(apps.EventDeploy, "v2", "http://two", "me deployed snapshot v2")
	_, err := f.Restart(t.Context(), "me", "app", "me")
	f.ok(err)
	happened(apps.EventRestart, "v2", "http://two", "me restarted snapshot v2")
	f.ok(start("v1", "me"))
	happened(apps.EventRollback, "v1", "http://one", "me rolled back from snapshot v2 to v1")
	if replaced != "v2" {
		t.Errorf("got %q as the snapshot that was rolled back", replaced)
	}
	_, err = f.SetCloud(t.Context(), "me", "app", []apps.Cloud{{Drones: 2}}, "me")
	f.ok(err)
	happened(apps.EventScale, "v1", "http://one", "me changed the number of drones from 1 to 2")

	f.runner.launch = func(runner.Version) error {
		return core.NewError(core.CodePlatformStartFailed, "it exited with code 1", nil)
	}
	if err := start("v2", "me"); core.CodeOf(err) != core.CodePlatformStartFailed {
		t.Errorf("got %v", err)
	}
	if e := f.event(); e.Kind != apps.EventDeploy || e.Snapshot != "v2" || e.Failure.Code != core.CodePlatformStartFailed || e.Failure.Reason != "it exited with code 1" || e.Reason != "me tried to start snapshot v2" {
		t.Errorf("got %+v", e)
	}
	f.runner.launch = nil
	f.ok(start("v2", "me"))
	f.event()
	f.runner.launch = func(runner.Version) error {
		return &core.Error{Code: core.CodePlatformStartFailed, Reason: "drone 1 exited with code 1", Detail: "Error: listen EACCES: permission denied 0.0.0.0:80"}
	}
	if err := start("v1", "me"); err == nil {
		t.Error("a version that fails is started")
	}
	if e := f.event(); e.Kind != apps.EventRollback || e.Replaced != "" || e.Failure.Reason != "drone 1 exited with code 1: Error: listen EACCES: permission denied 0.0.0.0:80; listen on process.env.PORT instead of a port of your own" {
		t.Errorf("got %+v", e)
	}
	f.runner.launch = nil
	// There is no event of what changes nothing, or of what a server deploys.
	_, err = f.SetCloud(t.Context(), "me", "app", []apps.Cloud{{Drones: 2}}, "me")
	f.ok(err)
	f.ok(start("v1", ""))
	f.ok(start("v2", ""))
	if err := start("v9", "me"); core.CodeOf(err) != core.CodePlatformSnapshotNotFound {
		t.Errorf("got %v", err)
	}
	// What can't be recorded is not done.
	f.unwritable.Store(true)
	if err := start("v1", "me"); err == nil || f.view().Running.ID != "v2" {
		t.Errorf("got %v and %+v", err, f.view())
	}
	f.unwritable.Store(false)
	_, err = f.Stop(t.Context(), "me", "app", "me")
	f.ok(err)
	happened(apps.EventStop, "", "", "me stopped the app")
	f.ok(f.Destroy(t.Context(), "me", "app", "me"))
	happened(apps.EventDestroy, "", "", "me destroyed the app")
	if err := start("v1", "me"); core.CodeOf(err) != core.CodePlatformAppNotFound {
		t.Errorf("got %v", err)
	}
}
