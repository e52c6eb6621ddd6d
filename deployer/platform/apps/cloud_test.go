package apps_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
)

// place says where the app lives, by the name of the datacenter.
func (b *bench) place(drones int) error {
	_, err := b.SetCloud(b.t.Context(), "me", "app", []apps.Cloud{{Provider: apps.Provider, Datacenter: apps.Datacenter, Drones: drones}})
	return err
}

// The published clients deploy to a datacenter by its name alone.
func TestCloudDeploys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before  func(*bench)
		answers string
		stands  string
	}{
		"to a new app's first snapshot": {func(b *bench) { b.upload("v1", server("one")) }, "one", "v1*!"},
		"the newest where none is active": {func(b *bench) {
			b.upload("v1", server("one"))
			b.upload("v2", server("two"))
		}, "two", "v1 v2*!"},
		"the active one in the place of another": {func(b *bench) {
			b.upload("v1", server("one"))
			b.start()
			b.upload("v2", server("two"))
			b.activate("v2")
		}, "two", "v1 v2*!"},
		"a stopped app": {func(b *bench) {
			b.upload("v1", server("one"))
			b.start()
			_, err := b.Stop(b.t.Context(), "me", "app")
			b.ok(err)
		}, "one", "v1*!"},
		"a crashed app": {func(b *bench) {
			b.upload("v1", server("one"))
			b.start()
			b.crash()
		}, "one", "v1*!"},
		"nothing of an app without snapshots": {func(*bench) {}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, apps.Options{})
			c.before(b)
			b.ok(b.place(1))
			if answers, stands := b.get("/"), b.snapshots(); answers != c.answers || stands != c.stands {
				t.Errorf("it answers %q and has %s, want %q and %s", answers, stands, c.answers, c.stands)
			}
		})
	}
}

func TestCloudLeavesWhatRuns(t *testing.T) {
	t.Parallel()
	b := setup(t, apps.Options{})
	b.upload("v1", server("one"))
	b.start()
	address, done, _ := b.drones.Pick("me", "app")
	done()
	b.ok(b.place(1))
	again, done, ok := b.drones.Pick("me", "app")
	if !ok || again != address {
		t.Errorf("what ran at %s was started anew at %q", address, again)
	}
	done()
	b.upload("v2", `process.exit(1)`)
	b.activate("v2")
	if err := b.place(2); core.CodeOf(err) != core.CodePlatformStartFailed {
		t.Errorf("a snapshot that does not start: %v", err)
	}
	cloud, err := b.Cloud("me", "app")
	if b.ok(err); b.get("/") != "one" || cloud[0].Drones != 1 {
		t.Errorf("then it answers %q in %v", b.get("/"), cloud)
	}
}

// A number of drones alone starts nothing, and takes nothing's place.
func TestDronesAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, apps.Options{})
	resize := func(drones int) {
		t.Helper()
		_, err := b.SetCloud(t.Context(), "me", "app", []apps.Cloud{{Drones: drones}})
		b.ok(err)
	}
	b.upload("v1", server("one"))
	resize(2)
	if got := b.snapshots(); got != "v1" {
		t.Errorf("an app that never ran has %s", got)
	}
	b.start()
	b.upload("v2", server("two"))
	b.activate("v2")
	resize(3)
	if got := b.drones.State("me", "app"); got.Snapshot != "v1" || got.Drones != 3 {
		t.Errorf("it stands as %+v", got)
	}
}
