package apps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// Create makes an app of the fields of a package.json. Its subdomain is its
// name where they don't say. It refuses with [core.CodePlatformAppConflict] where there is
// such an app, or a host of it is another's.
func (a *Apps) Create(user, app string, fields Fields) (App, error) {
	if err := checkName("an app's name", app); err != nil {
		return App{}, err
	}
	now := a.o.Now().UTC()
	d := document{
		User: user, Name: app, Subdomain: app, CTime: now, MTime: now,
		Cloud: []Cloud{{Provider: Provider, Datacenter: Datacenter, Drones: 1, RAM: defaultRAM}},
	}
	if err := a.apply(&d, fields); err != nil {
		return App{}, err
	}
	if err := checkHost(d); err != nil {
		return App{}, err
	}
	err := a.o.DB.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte(bucketApps)).Get([]byte(key(user, app))) != nil {
			return core.Errorf(core.CodePlatformAppConflict, "There is an app %s already", key(user, app))
		}
		if err := a.claim(tx, document{}, d); err != nil {
			return err
		}
		return write(tx, d)
	})
	if err != nil {
		return App{}, wrapped("creating an app", err)
	}
	return a.tell(d, standing{state: StateStopped}), nil
}

// checkHost refuses what could not be reached.
func checkHost(d document) error {
	if d.Subdomain[len(d.Subdomain)-1] == '.' || bytes.Contains([]byte(d.Subdomain), []byte("..")) {
		return core.Errorf(core.CodePlatformInvalid, "%q can't be a subdomain; set the field subdomain", d.Subdomain)
	}
	return nil
}

// Update changes the fields that are given and leaves the others. A new
// environment is seen by drones that start from then on.
func (a *Apps) Update(user, app string, fields Fields, o Order) (App, error) {
	d, err := a.update(user, app, func(tx *bbolt.Tx, d *document) error {
		if err := d.enter(o); err != nil {
			return err
		}
		before := *d
		if err := a.apply(d, fields); err != nil {
			return err
		}
		if err := checkHost(*d); err != nil {
			return err
		}
		return a.claim(tx, before, *d)
	})
	if err != nil {
		return App{}, err
	}
	return a.tell(d, a.standing(d)), nil
}

// Find returns an app.
func (a *Apps) Find(user, app string) (App, error) {
	d, err := a.find(user, app)
	if err != nil {
		return App{}, err
	}
	return a.tell(d, a.standing(d)), nil
}

// List returns a user's apps by name.
func (a *Apps) List(user string) ([]App, error) {
	documents, err := a.all(user)
	apps := make([]App, 0, len(documents))
	for _, d := range documents {
		apps = append(apps, a.tell(d, a.standing(d)))
	}
	return apps, err
}

// all returns the documents of a user's apps; of all apps where user is "".
func (a *Apps) all(user string) (found []document, err error) {
	prefix := []byte("")
	if user != "" {
		prefix = []byte(key(user, ""))
	}
	err = a.o.DB.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketApps)).Cursor()
		for k, text := c.Seek(prefix); bytes.HasPrefix(k, prefix) && k != nil; k, text = c.Next() {
			var d document
			if err := json.Unmarshal(text, &d); err != nil {
				return err
			}
			found = append(found, d)
		}
		return nil
	})
	return found, wrapped("listing apps", err)
}

// Destroy stops an app and removes it with all that is its own. It refuses
// with [core.CodePlatformAppConflict] while a snapshot is being built.
func (a *Apps) Destroy(ctx context.Context, user, app string) error {
	if _, err := a.find(user, app); err != nil {
		return err
	}
	build := a.locksOf(user, app).build
	select {
	case build <- struct{}{}:
		defer func() { <-build }()
	default:
		return core.Errorf(core.CodePlatformAppConflict, "A snapshot of the app is being built; destroy it when that has ended")
	}
	release, err := a.hold(ctx, user, app, running)
	if err != nil {
		return err
	}
	defer release()
	d, err := a.find(user, app)
	if err != nil {
		return err // somebody was faster
	}
	// The document goes last: what is interrupted can be repeated.
	if err := errors.Join(a.o.Drones.Destroy(ctx, user, app), a.o.Snapshots.RemoveApp(user, app)); err != nil {
		return wrapped("destroying an app", err)
	}
	err = a.o.DB.Update(func(tx *bbolt.Tx) error {
		if err := a.unclaim(tx, d); err != nil {
			return err
		}
		return tx.Bucket([]byte(bucketApps)).Delete([]byte(key(user, app)))
	})
	return wrapped("destroying an app", err)
}

// DestroyAll destroys all apps of a user.
func (a *Apps) DestroyAll(ctx context.Context, user string) error {
	documents, err := a.all(user)
	for _, d := range documents {
		if err := a.Destroy(ctx, user, d.Name); err != nil && core.CodeOf(err) != core.CodePlatformAppNotFound {
			return err
		}
	}
	return err
}

// Sweep removes the files of snapshots that are not written, left by a server
// that was killed, and each node that no snapshot runs with. Nothing may be
// uploaded meanwhile.
func (a *Apps) Sweep() error {
	documents, err := a.all("")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	var paths []string
	for _, d := range documents {
		for _, s := range d.Snapshots {
			known[key(d.User, d.Name)+"/"+s.ID] = true
			paths = append(append(paths, s.Node), s.Path...)
		}
	}
	return a.o.Snapshots.Sweep(
		func(user, app, id string) bool { return known[key(user, app)+"/"+id] },
		func(dir string) bool {
			return slices.ContainsFunc(paths, func(path string) bool { return strings.HasPrefix(path, dir+"/") })
		})
}
