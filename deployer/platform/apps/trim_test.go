package apps_test

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/apps"
)

// Build caches are removed before snapshots, the oldest snapshot first, and never what
// serves, served last, or is active.
func TestTrim(t *testing.T) {
	t.Parallel()
	var seconds atomic.Int64
	f := setup(t, apps.Options{Trial: time.Millisecond, Now: func() time.Time { return time.Unix(seconds.Add(1), 0) }})
	f.upload("old1", "{}")
	f.upload("old2", "{}")
	f.deploy("v1", "{}")
	f.deploy("v2", "{}")
	f.await("the end of the trial", func() bool { return !f.OnTrial("me", "app") })
	f.upload("active", "{}")
	_, err := f.Activate("me", "app", "active", "")
	f.ok(err)
	home := filepath.Join(f.dir, "builds", "me", "app", ".home")
	fill := func() {
		f.ok(os.MkdirAll(home, 0o700))
		f.ok(os.WriteFile(filepath.Join(home, "cache"), make([]byte, 1<<20), 0o600))
	}
	trim := func(want int64, left string) {
		t.Helper()
		freed, skipped, err := f.Trim(t.Context(), want)
		f.ok(err)
		if got := f.snapshots(); got != left || skipped {
			t.Errorf("after %d of %d bytes were freed the app has %s, want %s; skipped %v", freed, want, got, left, skipped)
		}
	}
	fill()
	trim(0, "old1 old2 v1 v2! active*")
	if _, err := os.Stat(home); err != nil {
		t.Errorf("the caches were removed without need: %v", err)
	}
	trim(1<<20, "old1 old2 v1 v2! active*")
	if _, err := os.Stat(home); err == nil {
		t.Error("the caches were not removed")
	}
	trim(1, "old2 v1 v2! active*")
	if _, err := os.Stat(filepath.Join(f.dir, "archives", "me", "app", "old1.tgz")); err == nil {
		t.Error("the archive was not removed")
	}
	trim(1<<40, "v1 v2! active*")
	f.upload("next", "{}")
	trim(1<<40, "v1 v2! active* next")
}
