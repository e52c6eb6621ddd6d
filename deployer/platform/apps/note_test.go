package apps_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// The log of an app has what the platform did with it.
func TestAppLogHasWhatThePlatformDid(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", packageOne)
	f.upload("v2", packageTwo)
	f.runner.launch = func(runner.Version) error { return failedStart() }
	if f.start("v2") == nil {
		t.Error("v2 was started")
	}
	f.runner.launch = nil
	f.ok(f.start("v2"))
	f.ok(f.start("v1"))
	for _, do := range []func(_ context.Context, user, app, by string) (apps.App, error){f.Restart, f.Stop} {
		_, err := do(t.Context(), "me", "app", "")
		f.ok(err)
	}
	lines, err := f.Logs("me", "app", time.Time{}, time.Time{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range slices.Backward(lines) {
		got = append(got, line.Text)
	}
	want := []string{
		"starting snapshot v1", "snapshot v1 is started and gets the requests",
		"starting snapshot v2 beside v1", "snapshot v2 did not start: drone 1 exited with code 1: no database; v1 still runs",
		"starting snapshot v2 beside v1", "snapshot v2 is started and gets the requests",
		"rolling back from snapshot v2 to v1", "snapshot v1 is started and gets the requests",
		"restarting snapshot v1", "snapshot v1 is started and gets the requests",
		"the app is stopped",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
