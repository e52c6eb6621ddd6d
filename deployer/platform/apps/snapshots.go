package apps

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
)

// Upload creates a snapshot from the tgz in body and builds the app in its folder
// root, "" for the top. It streams the build's output to out. If the snapshot
// exists, body is not read, and built is true. A failed build leaves no files.
func (a *Apps) Upload(ctx context.Context, user, app, id, root string, body io.Reader, out io.Writer) (built bool, err error) {
	if built, err = a.has(user, app, id); built || err != nil {
		return built, err
	}
	archive, err := a.o.Snapshots.Receive(body)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, archive.Discard()) }()
	lock := a.locksOf(user, app).build
	if !lock.TryAcquire() {
		_, _ = io.WriteString(out, "Waiting for another build of this app\n") // an error means that the client has gone
		if err := lock.Acquire(ctx); err != nil {
			return false, wrapped("waiting for another build of the app", err)
		}
	}
	defer func() {
		lock.Release()
		a.o.Built()
	}()
	// While we waited, another call may have built it or destroyed the app.
	if built, err = a.has(user, app, id); built || err != nil {
		return built, err
	}
	s, err := a.build(ctx, archive, user, app, id, root, out)
	if err != nil {
		return false, err
	}
	old, err := a.add(user, app, s)
	if err != nil {
		return false, errors.Join(err, a.o.Snapshots.Remove(user, app, id))
	}
	for _, s := range old {
		_ = a.o.Snapshots.Remove(user, app, s.ID) // files that are left are removed at the next start
	}
	return false, nil
}

// add adds a snapshot to an app, and removes old ones, which it returns. While the app is
// started or changed it removes none: an old one may be what is started. The next call does.
func (a *Apps) add(user, app string, s snapshot) (old []snapshot, err error) {
	run := a.locksOf(user, app).run
	idle := run.TryAcquire()
	if idle {
		defer run.Release()
	}
	_, err = a.docs.update(user, app, func(d *document) error {
		d.Snapshots = append(d.Snapshots, s)
		if idle {
			old = a.prune(d, s.ID)
		}
		return nil
	})
	return old, err
}

// build builds a snapshot, with the environment that people set.
func (a *Apps) build(ctx context.Context, archive *snapshots.Archive, user, app, id, root string, out io.Writer) (snapshot, error) {
	d, err := a.docs.find(user, app)
	if err != nil {
		return snapshot{}, err
	}
	env, err := a.docs.openEnv(d, d.Set.Env)
	if err != nil {
		return snapshot{}, err
	}
	done, err := a.o.Snapshots.Build(ctx, archive, snapshots.Request{User: user, App: app, ID: id, Root: root, Env: env}, out)
	if err != nil {
		return snapshot{}, wrapped("building a snapshot", err)
	}
	s, err := a.built(d, id, done)
	if err != nil {
		return snapshot{}, errors.Join(err, a.o.Snapshots.Remove(user, app, id))
	}
	s.MD5, s.Size = archive.MD5, archive.Size
	return s, nil
}

// built returns a snapshot that was built.
func (a *Apps) built(d document, id string, done builds.Result) (s snapshot, err error) {
	s = snapshot{
		ID: id, CTime: a.o.Now().UTC(), Node: done.Node, NodeVersion: done.NodeVersion, Path: done.Path, Start: done.Web,
		Processes: done.Processes, Release: done.Release, Static: done.Static, Fallback: done.Fallback, Health: done.Health, Sticky: done.Sticky, StopFirst: done.StopFirst, Cron: done.Cron,
	}
	if s.Dir, err = filepath.Rel(a.o.Snapshots.BuiltDir(d.User, d.Name, id), done.Dir); err != nil {
		return snapshot{}, wrapped("building a snapshot", err)
	}
	if s.Package, err = a.packageOf(d, done.Package); err != nil {
		return snapshot{}, core.Errorf(core.CodePlatformBuildFailed, "package.json: %s", core.AsError(err).Reason)
	}
	s.Env, err = a.docs.sealEnv(d.User, d.Name, done.Env)
	return s, err
}

// has reports whether the app has that snapshot. It fails if there is no such app,
// or if the name is invalid.
func (a *Apps) has(user, app, id string) (bool, error) {
	if err := checkName("snapshot", id); err != nil {
		return false, err
	}
	if strings.HasSuffix(id, ".tgz") {
		return false, core.Errorf(core.CodePlatformInvalid, "A snapshot's name must not end in .tgz, as that is the name of its file")
	}
	d, err := a.docs.find(user, app)
	if err != nil {
		return false, err
	}
	_, ok := d.snapshot(id)
	return ok, nil
}

// prune removes the oldest snapshots from d, beyond the number to keep, and returns
// them. It keeps the active one, the one that runs, the one that a rollback would
// start, and the new one.
func (a *Apps) prune(d *document, id string) (old []snapshot) {
	needed := append(d.needed(), id)
	over := len(d.Snapshots) - a.o.Keep
	d.Snapshots = slices.DeleteFunc(d.Snapshots, func(s snapshot) bool {
		if over <= 0 || slices.Contains(needed, s.ID) {
			return false
		}
		over--
		old = append(old, s)
		return true
	})
	return old
}

// Snapshots returns an app's snapshots, the oldest first.
func (a *Apps) Snapshots(user, app string) ([]Snapshot, error) {
	d, err := a.docs.find(user, app)
	if err != nil {
		return nil, err
	}
	return d.viewSnapshots(a.status(d)), nil
}

// Open opens the archive of a snapshot; the caller closes it.
func (a *Apps) Open(user, app, id string) (*os.File, error) {
	d, err := a.docs.find(user, app)
	if err != nil {
		return nil, err
	}
	if _, ok := d.snapshot(id); !ok {
		return nil, noSnapshot(id)
	}
	return a.o.Snapshots.Open(user, app, id)
}

func noSnapshot(id string) error {
	return core.Errorf(core.CodePlatformSnapshotNotFound, "There is no snapshot %.100q", id)
}

// Activate makes a snapshot the one that the next start runs.
func (a *Apps) Activate(user, app, id string, o Order) (App, error) {
	return a.viewed(a.docs.update(user, app, func(d *document) error {
		if err := d.enter(o); err != nil {
			return err
		}
		if _, ok := d.snapshot(id); !ok {
			return noSnapshot(id)
		}
		d.Active = id
		return nil
	}))
}

// DestroySnapshot removes a snapshot. It fails with
// [core.CodePlatformSnapshotConflict] if the snapshot runs; if it crashed, the app
// is stopped. If it was the active one, the app has no active one then.
func (a *Apps) DestroySnapshot(ctx context.Context, user, app, id string) error {
	release, err := a.acquireRun(ctx, user, app)
	if err != nil {
		return err
	}
	defer release()
	d, err := a.docs.find(user, app)
	if err != nil {
		return err
	}
	if _, ok := d.snapshot(id); !ok {
		return noSnapshot(id)
	}
	if runs := d.Running != nil && d.Running.Snapshot == id; runs {
		if a.o.Runner.State(user, app).Phase != runner.Crashed {
			return core.Errorf(core.CodePlatformSnapshotConflict, "The snapshot %q runs; stop the app, or start another snapshot first", id)
		}
		a.forget(user, app)
		if err := a.o.Runner.Halt(ctx, user, app); err != nil {
			return wrapped("stopping an app that crashed", err)
		}
	}
	_, err = a.docs.update(user, app, func(d *document) error {
		if d.Active == id {
			d.Active = ""
		}
		if d.Running != nil && d.Running.Snapshot == id {
			d.Running, d.Former = nil, nil
		}
		if d.Former != nil && d.Former.Running != nil && d.Former.Running.Snapshot == id {
			d.Former = nil
		}
		d.Snapshots = slices.DeleteFunc(d.Snapshots, func(s snapshot) bool { return s.ID == id })
		return nil
	})
	if err != nil {
		return err
	}
	return a.o.Snapshots.Remove(user, app, id)
}
