package apps_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/drones"
)

// Old snapshots go, but not the active one and not the one that runs.
func TestSnapshotsThatAreKept(t *testing.T) {
	t.Parallel()
	b := setupTrial(t, apps.Options{Keep: 3}, time.Millisecond)
	b.upload("runs", server("one"))
	b.start()
	b.upload("active", server("two"))
	b.activate("active")
	for _, id := range []string{"a", "b", "c"} {
		b.upload(id, server(id))
	}
	if got, want := b.snapshots(), "runs! active* c"; got != want {
		t.Errorf("the app has %s, want %s", got, want)
	}
	if _, err := b.Open("me", "app", "a"); core.CodeOf(err) != core.CodePlatformSnapshotNotFound {
		t.Errorf("one that went is opened with %v", err)
	}
	// Free to go, the oldest are the first.
	b.start()
	b.await(b.proved, "the active one is on trial for ever")
	b.upload("d", server("d"))
	b.upload("e", server("e"))
	if got, want := b.snapshots(), "active*! d e"; got != want {
		t.Errorf("the app has %s, want %s", got, want)
	}
	built, err := b.Upload(t.Context(), "me", "app", "d", "", strings.NewReader(""), io.Discard)
	if b.ok(err); !built {
		t.Error("what is kept is built again")
	}
}

// Nor does the one that runs again where the new one crashes; then it is the
// active one.
func TestTheWayBackIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t, apps.Options{Keep: 1})
	b.upload("v1", server("one"))
	b.start()
	b.upload("v2", server("two"))
	b.activate("v2")
	b.start()
	b.upload("v3", server("three"))
	if got, want := b.snapshots(), "v1 v2*! v3"; got != want {
		t.Errorf("the app has %s, want %s", got, want)
	}
	for _, test := range []struct{ active, from, to, want string }{
		{"v2", "v2", "v1", "v1* v2! v3"},
		{"v3", "v2", "v1", "v1 v2! v3*"},   // what somebody has chosen since stays
		{"v2", "v2", "gone", "v1 v2*! v3"}, // it was destroyed
	} {
		b.activate(test.active)
		b.RolledBack(drones.Rollback{User: "me", App: "app", From: test.from, To: test.to})
		if got := b.snapshots(); got != test.want {
			t.Errorf("after a way back from %s to %s the app has %s, want %s", test.from, test.to, got, test.want)
		}
	}
}

func TestDestroyASnapshotThatCrashed(t *testing.T) {
	t.Parallel()
	b := setup(t, apps.Options{})
	b.upload("v1", server("one"))
	b.start()
	if err := b.DestroySnapshot(t.Context(), "me", "app", "v1"); core.CodeOf(err) != core.CodePlatformSnapshotConflict {
		t.Errorf("what runs is destroyed with %v", err)
	}
	b.crash()
	if got := b.snapshots(); got != "v1*" {
		t.Errorf("crashed, the app has %s", got)
	}
	b.ok(b.DestroySnapshot(t.Context(), "me", "app", "v1"))
	if got := b.snapshots(); got != "" {
		t.Errorf("the app still has %s", got)
	}
	// The server's next start must not look for it.
	if got := b.drones.State("me", "app"); got.Snapshot != "" {
		t.Errorf("it would be started again: %+v", got)
	}
	if _, err := b.Open("me", "app", "v1"); core.CodeOf(err) != core.CodePlatformSnapshotNotFound {
		t.Errorf("it is opened with %v", err)
	}
}
