package apps_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Old snapshots are removed, except the active one, the one that runs, and the one
// that a rollback would start.
func TestSnapshotsThatAreKept(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Keep: 3, Trial: time.Millisecond})
	f.deploy("runs", "{}")
	f.upload("active", "{}")
	_, err := f.Activate("me", "app", "active", "")
	f.ok(err)
	for _, id := range []string{"a", "b", "c"} {
		f.upload(id, "{}")
	}
	if got, want := f.snapshots(), "runs! active* c"; got != want {
		t.Errorf("the app has %s, want %s", got, want)
	}
	if _, err := f.Open("me", "app", "a"); core.CodeOf(err) != core.CodePlatformSnapshotNotFound {
		t.Errorf("one that was removed is opened with %v", err)
	}
	f.ok(f.start(""))
	f.await("the end of the trial", func() bool { return !f.OnTrial("me", "app") })
	f.upload("d", "{}")
	f.upload("e", "{}")
	if got, want := f.snapshots(), "active*! d e"; got != want {
		t.Errorf("the app has %s, want %s", got, want)
	}
	built, err := f.Upload(t.Context(), "me", "app", "d", "", strings.NewReader(""), io.Discard)
	if f.ok(err); !built {
		t.Error("a stored snapshot is built again")
	}
}

func TestFormerSnapshotIsKept(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Keep: 1, Trial: time.Hour})
	f.deploy("v1", "{}")
	f.deploy("v2", `{"env":{"A":"1"}}`)
	f.upload("v3", "{}")
	if got, want := f.snapshots(), "v1 v2*! v3"; got != want {
		t.Errorf("the app has %s, want %s", got, want)
	}
	// A snapshot that a person has activated since stays the active one.
	_, err := f.Activate("me", "app", "v3", "")
	f.ok(err)
	f.runner.crash(false)
	f.event()
	f.await("the former version", func() bool { return f.snapshots() == "v1! v2 v3*" }) // the event comes before
	f.ok(f.DestroySnapshot(t.Context(), "me", "app", "v2"))
	if got, want := f.snapshots(), "v1! v3*"; got != want {
		t.Errorf("the app has %s, want %s", got, want)
	}
}

// A snapshot that is being started is kept, though neither active nor running yet.
func TestSnapshotThatStartsIsKept(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{Keep: 2, Trial: time.Hour})
	for _, id := range []string{"v1", "v2", "v3"} {
		f.deploy(id, packageTwo)
	}
	f.runner.launch = func(runner.Version) error {
		f.upload("v4", packageTwo)
		return nil
	}
	f.ok(f.start("v1"))
	if got, want := f.snapshots(), "v1*! v2 v3 v4"; got != want {
		t.Errorf("the app has %s, want %s", got, want)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "builds", "me", "app", "v1")); err != nil {
		t.Error(err)
	}
	f.runner.done()
	f.restart()
	f.did("resume v1")
	f.upload("v5", packageTwo) // which removes what was not removed then
	if got, want := f.snapshots(), "v1*! v3 v5"; got != want {
		t.Errorf("the app has %s, want %s", got, want)
	}
}

func TestDestroyASnapshotThatCrashed(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", "{}")
	if err := f.DestroySnapshot(t.Context(), "me", "app", "v1"); core.CodeOf(err) != core.CodePlatformSnapshotConflict {
		t.Errorf("what runs is destroyed with %v", err)
	}
	f.runner.fall()
	if got := f.snapshots(); got != "v1*" {
		t.Errorf("crashed, the app has %s", got)
	}
	f.ok(f.DestroySnapshot(t.Context(), "me", "app", "v1"))
	if got := f.snapshots(); got != "" {
		t.Errorf("the app still has %s", got)
	}
	f.runner.done()
	f.restart()
	f.did() // the server's next start does not start it
}

// The name and the hosts of a destroyed app are free.
func TestDestroy(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", packageOne)
	f.ok(f.Destroy(t.Context(), "me", "app", ""))
	if _, err := f.Find("me", "app"); core.CodeOf(err) != core.CodePlatformAppNotFound {
		t.Errorf("it is found with %v", err)
	}
	_, err := f.Create("you", "one", nil)
	f.ok(err)
	if user, app, ok := f.Lookup("one.localhost"); !ok || user != "you" || app != "one" {
		t.Errorf("its subdomain is %s/%s's, %t", user, app, ok)
	}
}

// An app whose destruction was interrupted, so that a part of its files may be gone, does
// not run again, and can be destroyed.
func TestDestroyInterrupted(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", packageOne)
	f.runner.destroyed = errors.New("interrupted")
	if err := f.Destroy(t.Context(), "me", "app", "me"); err == nil {
		t.Error("it is destroyed")
	}
	f.runner.destroyed = nil
	f.runner.done()
	f.restart()
	f.did()
	f.ok(f.Destroy(t.Context(), "me", "app", "me"))
	if _, err := f.Find("me", "app"); core.CodeOf(err) != core.CodePlatformAppNotFound {
		t.Errorf("it is found with %v", err)
	}
}
