package apps

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/drones"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
)

// Upload makes a snapshot of the tgz in body and builds the app in its folder
// root, "" for the top; what the build
// prints is written to out as it comes. Where the app has it already, body is
// not read, and built is true. A failed build leaves nothing.
func (a *Apps) Upload(ctx context.Context, user, app, id, root string, body io.Reader, out io.Writer) (built bool, err error) {
	if built, err = a.has(user, app, id); built || err != nil {
		return built, err
	}
	archive, err := a.o.Snapshots.Receive(body)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, archive.Discard()) }()
	if len(a.locksOf(user, app).build) > 0 {
		_, _ = io.WriteString(out, "Waiting for another build of this app\n") // who left need not know
	}
	release, err := a.hold(ctx, user, app, building)
	if err != nil {
		return false, err
	}
	defer release()
	// Somebody may have built it, or destroyed the app, while we waited.
	if built, err = a.has(user, app, id); built || err != nil {
		return built, err
	}
	d, err := a.find(user, app)
	if err != nil {
		return false, err
	}
	done, err := a.o.Snapshots.Build(ctx, archive, snapshots.Request{User: user, App: app, ID: id, Root: root, Env: d.Env}, out)
	if err != nil {
		return false, wrapped("building a snapshot", err)
	}
	below, err := filepath.Rel(a.o.Snapshots.BuiltDir(user, app, id), done.Dir)
	if err != nil {
		return false, errors.Join(wrapped("building a snapshot", err), a.o.Snapshots.Remove(user, app, id))
	}
	s := snapshot{
		ID: id, MD5: archive.MD5, Size: archive.Size, CTime: a.o.Now().UTC(), Node: done.Node, NodeVersion: done.NodeVersion,
		Dir: below, Path: done.Path, Env: done.Env, Start: done.Web, Processes: done.Processes, Release: done.Release,
		Static: done.Static, Fallback: done.Fallback, Health: done.Health,
	}
	var old []snapshot
	_, err = a.update(user, app, func(_ *bbolt.Tx, d *document) error {
		d.Snapshots = append(d.Snapshots, s)
		old = a.prune(d, id)
		return nil
	})
	if err != nil {
		return false, errors.Join(err, a.o.Snapshots.Remove(user, app, id))
	}
	for _, s := range old {
		_ = a.o.Snapshots.Remove(user, app, s.ID) // what is left is swept at the next start
	}
	return false, nil
}

// has tells whether the app has that snapshot. It refuses where there is no
// such app, or the name can't be.
func (a *Apps) has(user, app, id string) (bool, error) {
	if err := checkName("a snapshot's name", id); err != nil {
		return false, err
	}
	if strings.HasSuffix(id, ".tgz") {
		return false, core.Errorf(core.CodePlatformInvalid, "A snapshot's name can't end in .tgz, as that is its file's")
	}
	d, err := a.find(user, app)
	if err != nil {
		return false, err
	}
	_, ok := d.snapshot(id)
	return ok, nil
}

// prune takes the oldest snapshots out of d, beyond the number that is kept,
// and returns them. The active one, the one that runs, the one that runs again
// where that crashes, and the new one stay.
func (a *Apps) prune(d *document, id string) (old []snapshot) {
	now := a.o.Drones.State(d.User, d.Name)
	over := len(d.Snapshots) - a.o.Keep
	d.Snapshots = slices.DeleteFunc(d.Snapshots, func(s snapshot) bool {
		if over <= 0 || s.ID == d.Active || s.ID == now.Snapshot || s.ID == now.Former || s.ID == id {
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
	d, err := a.find(user, app)
	if err != nil {
		return nil, err
	}
	runs := a.standing(d).snapshot
	all := make([]Snapshot, 0, len(d.Snapshots))
	for _, s := range d.Snapshots {
		all = append(all, d.tell(s, runs))
	}
	return all, nil
}

// Open opens the archive of a snapshot; the caller closes it.
func (a *Apps) Open(user, app, id string) (*os.File, error) {
	d, err := a.find(user, app)
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
	d, err := a.update(user, app, func(_ *bbolt.Tx, d *document) error {
		if err := d.enter(o); err != nil {
			return err
		}
		if _, ok := d.snapshot(id); !ok {
			return noSnapshot(id)
		}
		d.Active = id
		return nil
	})
	if err != nil {
		return App{}, err
	}
	return a.tell(d, a.standing(d)), nil
}

// DestroySnapshot removes a snapshot. It refuses with [core.CodePlatformSnapshotConflict] where
// that runs; where it crashed, the app is stopped. Where it was the active one,
// none is from then on.
func (a *Apps) DestroySnapshot(ctx context.Context, user, app, id string) error {
	release, err := a.hold(ctx, user, app, running)
	if err != nil {
		return err
	}
	defer release()
	d, err := a.find(user, app)
	if err != nil {
		return err
	}
	if _, ok := d.snapshot(id); !ok {
		return noSnapshot(id)
	}
	if err := a.letGo(ctx, user, app, id); err != nil {
		return err
	}
	_, err = a.update(user, app, func(_ *bbolt.Tx, d *document) error {
		if d.Active == id {
			d.Active = ""
		}
		d.Snapshots = slices.DeleteFunc(d.Snapshots, func(s snapshot) bool { return s.ID == id })
		return nil
	})
	if err != nil {
		return err
	}
	return a.o.Snapshots.Remove(user, app, id)
}

// letGo makes sure that the supervisor has no use for a snapshot. It refuses
// where that runs here. One that crashed would be started again with the
// server, so that is forgotten.
func (a *Apps) letGo(ctx context.Context, user, app, id string) error {
	state := a.o.Drones.State(user, app)
	if state.Snapshot != id {
		return nil
	}
	if state.Phase != drones.Crashed {
		return core.Errorf(core.CodePlatformSnapshotConflict, "The snapshot %q runs; stop the app, or start another snapshot first", id)
	}
	return wrapped("stopping an app that crashed", a.o.Drones.Halt(ctx, user, app))
}
