package apps

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Trim removes what is not needed to run the apps until it has freed want bytes: first
// the build caches of the apps that were built longest ago, then the oldest snapshots.
// It never removes the active snapshot of an app, the one that runs, the one that ran
// last, the one that a rollback would start, or the newest, which may be about to start. It returns how much it has freed, and
// whether it has skipped apps that are being built or changed.
func (a *Apps) Trim(ctx context.Context, want int64) (freed int64, skipped bool, err error) {
	docs, err := a.docs.all("")
	if err != nil {
		return 0, false, err
	}
	slices.SortFunc(docs, func(x, y document) int { return x.lastBuilt().Compare(y.lastBuilt()) })
	var failures []error
	for _, d := range docs {
		if freed >= want || ctx.Err() != nil {
			break
		}
		n, busy, err := a.trimCaches(ctx, d)
		freed, skipped = freed+n, skipped || busy
		failures = append(failures, err)
	}
	for _, old := range unneeded(docs) {
		if freed >= want || ctx.Err() != nil {
			break
		}
		n, busy, err := a.trimSnapshot(ctx, old.user, old.app, old.id)
		freed, skipped = freed+n, skipped || busy
		failures = append(failures, err)
	}
	return freed, skipped, wrapped("freeing disk space", errors.Join(append(failures, ctx.Err())...))
}

// lastBuilt returns when the newest snapshot was built.
func (d document) lastBuilt() (last time.Time) {
	for _, s := range d.Snapshots {
		if s.CTime.After(last) {
			last = s.CTime
		}
	}
	return last
}

// needed returns the ids of the active snapshot, of the one that runs, and of the one
// that a rollback would start.
func (d *document) needed() []string {
	ids := []string{d.Active}
	for _, v := range d.visibles() {
		if v.Running != nil {
			ids = append(ids, v.Running.Snapshot)
		}
	}
	return ids
}

// untrimmed returns the ids of snapshots that are never removed to free space: those
// that are needed, the one that the next start runs, the one that served last before
// what runs now, and the newest, which is started after it was uploaded.
func (d *document) untrimmed() []string {
	ids := d.needed()
	if n := len(d.Snapshots); n > 0 {
		ids = append(ids, d.Snapshots[n-1].ID)
	}
	if s, ok := d.next(); ok {
		ids = append(ids, s.ID)
	}
	for _, s := range slices.Backward(d.Snapshots) {
		if s.Served && s.ID != d.running() {
			return append(ids, s.ID)
		}
	}
	return ids
}

// oldSnapshot is a snapshot that may be removed.
type oldSnapshot struct {
	user, app, id string
	ctime         time.Time
}

// unneeded returns the snapshots that may be removed, the oldest first.
func unneeded(docs []document) (all []oldSnapshot) {
	for _, d := range docs {
		kept := d.untrimmed()
		for _, s := range d.Snapshots {
			if !slices.Contains(kept, s.ID) {
				all = append(all, oldSnapshot{d.User, d.Name, s.ID, s.CTime})
			}
		}
	}
	slices.SortStableFunc(all, func(x, y oldSnapshot) int { return x.ctime.Compare(y.ctime) })
	return all
}

// trimCaches removes the build caches of an app, unless it is being built: then busy
// is true.
func (a *Apps) trimCaches(ctx context.Context, d document) (freed int64, busy bool, err error) {
	lock := a.locksOf(d.User, d.Name).build
	if !lock.TryAcquire() {
		return 0, true, nil
	}
	defer lock.Release()
	freed, err = a.o.Snapshots.RemoveCaches(ctx, d.User, d.Name)
	return freed, false, err
}

// trimSnapshot removes a snapshot, unless it is needed by now. While its app is built
// or started it does not: then busy is true.
func (a *Apps) trimSnapshot(ctx context.Context, user, app, id string) (freed int64, busy bool, err error) {
	l := a.locksOf(user, app)
	for _, lock := range []interface {
		TryAcquire() bool
		Release()
	}{l.build, l.run} {
		if !lock.TryAcquire() {
			return 0, true, nil
		}
		defer lock.Release()
	}
	size, err := a.o.Snapshots.Usage(ctx, user, app, id)
	if err != nil {
		return 0, false, err
	}
	removed := false
	_, err = a.docs.update(user, app, func(d *document) error {
		if slices.Contains(d.untrimmed(), id) {
			return nil
		}
		before := len(d.Snapshots)
		d.Snapshots = slices.DeleteFunc(d.Snapshots, func(s snapshot) bool { return s.ID == id })
		removed = len(d.Snapshots) < before
		return nil
	})
	if err != nil || !removed {
		if core.CodeOf(err) == core.CodePlatformAppNotFound {
			err = nil // it was destroyed meanwhile
		}
		return 0, false, err
	}
	a.o.Logger.InfoContext(ctx, "old snapshot removed to free disk space", "user", user, "app", app, "snapshot", id, "bytes", size)
	return size, false, a.o.Snapshots.Remove(user, app, id)
}
