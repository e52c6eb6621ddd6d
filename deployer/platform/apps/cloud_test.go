package apps_test

import (
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// place sets the number of drones by the name of the datacenter.
func (f *fixture) place(drones int) error {
	_, err := f.SetCloud(f.t.Context(), "me", "app", []apps.Cloud{{Provider: apps.Provider, Datacenter: apps.Datacenter, Drones: drones}}, "")
	return err
}

// The published clients deploy to a datacenter by its name alone.
func TestCloudDeploys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(*fixture)
		want   string
	}{
		"to a new app's first snapshot": {func(f *fixture) { f.upload("v1", "{}") }, "v1*!"},
		"the newest if none is active": {func(f *fixture) {
			f.upload("v1", "{}")
			f.upload("v2", "{}")
		}, "v1 v2*!"},
		"the active one instead of another": {func(f *fixture) {
			f.deploy("v1", "{}")
			f.upload("v2", "{}")
			_, err := f.Activate("me", "app", "v2", "")
			f.ok(err)
		}, "v1 v2*!"},
		"a stopped app": {func(f *fixture) {
			f.deploy("v1", "{}")
			_, err := f.Stop(f.t.Context(), "me", "app", "")
			f.ok(err)
		}, "v1*!"},
		"a crashed app": {func(f *fixture) {
			f.deploy("v1", "{}")
			f.runner.fall()
		}, "v1*!"},
		"nothing of an app without snapshots": {func(*fixture) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, apps.Options{})
			c.before(f)
			f.ok(f.place(1))
			if got := f.snapshots(); got != c.want {
				t.Errorf("the app has %s, want %s", got, c.want)
			}
		})
	}
}

func TestCloudLeavesWhatRuns(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", "{}")
	f.runner.done()
	f.ok(f.place(1))
	f.did()
	f.upload("v2", `{"env":{"A":"1"}}`)
	_, err := f.Activate("me", "app", "v2", "")
	f.ok(err)
	f.runner.launch = func(runner.Version) error { return failedStart() }
	if err := f.place(2); core.CodeOf(err) != core.CodePlatformStartFailed {
		t.Errorf("a snapshot that does not start: %v", err)
	}
	cloud, err := f.Cloud("me", "app")
	if f.ok(err); f.runner.runs().Snapshot != "v1" || cloud[0].Drones != 1 {
		t.Errorf("then %s runs in %v", f.runner.runs().Snapshot, cloud)
	}
}

// A number of drones alone starts nothing, and replaces nothing.
func TestDronesAlone(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	resize := func(drones int) {
		t.Helper()
		_, err := f.SetCloud(t.Context(), "me", "app", []apps.Cloud{{Drones: drones}}, "")
		f.ok(err)
	}
	f.upload("v1", "{}")
	resize(2)
	if got := f.snapshots(); got != "v1" {
		t.Errorf("an app that never ran has %s", got)
	}
	f.ok(f.start(""))
	f.upload("v2", `{"env":{"A":"1"}}`)
	_, err := f.Activate("me", "app", "v2", "")
	f.ok(err)
	resize(3)
	if runs := f.runner.runs(); runs.Snapshot != "v1" || runs.Drones != 3 || f.snapshots() != "v1! v2*" {
		t.Errorf("%d drones of %s run", runs.Drones, runs.Snapshot)
	}
}

// Limits of an app apply to the drones that it has then, and are kept.
func TestLimits(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Memory: 512, MaxMemory: 2048, Trial: time.Hour})
	half, none, many := 0.5, 0.0, 16.0
	set := func(c apps.Cloud) error {
		_, err := f.SetCloud(t.Context(), "me", "app", []apps.Cloud{c}, "")
		return err
	}
	f.deploy("v1", "{}")
	cloud, err := f.Cloud("me", "app")
	if f.ok(err); cloud[0].RAM != 512 || cloud[0].CPUs != nil || f.runner.runs().Limits != (runner.Limits{}) {
		t.Errorf("at first %+v, and it runs with %+v", cloud, f.runner.runs().Limits)
	}
	f.runner.done()
	f.ok(set(apps.Cloud{RAM: 256, CPUs: &half, Processes: 100}))
	f.did("launch v1", "watch v1", "promote v1", "commit v1")
	want := runner.Limits{Memory: 256 << 20, CPUs: 0.5, Processes: 100}
	if got := f.runner.runs().Limits; got != want {
		t.Errorf("it runs with %+v", got)
	}
	f.deploy("v2", "{}")
	f.restart()
	if got := f.runner.runs().Limits; got != want {
		t.Errorf("after a deployment and a restart it runs with %+v", got)
	}
	f.ok(set(apps.Cloud{CPUs: &none}))
	want.CPUs = 0
	if got := f.runner.runs().Limits; got != want {
		t.Errorf("it runs with %+v", got)
	}
	for _, c := range []apps.Cloud{{RAM: 63}, {RAM: 2049}, {RAM: -1}, {Processes: 1}, {Processes: 5000}, {CPUs: &many}, {Drones: 11}} {
		if err := set(c); core.CodeOf(err) != core.CodePlatformInvalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if got := f.runner.runs().Limits; got != want {
		t.Errorf("it runs with %+v", got)
	}
	// If the app crashes with new limits, it gets those before.
	f.ok(set(apps.Cloud{RAM: 64}))
	f.runner.crash(false)
	f.event()
	f.await("the limits before", func() bool { return f.runner.runs().Limits == want }) // the event comes before
}
