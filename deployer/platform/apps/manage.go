package apps

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nodejitsu/webhooks/core"
)

// Create creates an app with the fields that a person sets. The default subdomain
// is the name. It fails with [core.CodePlatformAppConflict] if the app exists, and
// with [core.CodePlatformHostConflict] if a host belongs to another app.
func (a *Apps) Create(user, app string, fields Fields) (App, error) {
	return a.create(user, app, fields, func(d *document, p parsed) error { return a.docs.set(d, p) })
}

// CreateToDeploy creates an app as Create does, with the addresses of a
// package.json that is about to be deployed. They are not settings of a person, and
// its other fields apply from the start of its snapshot.
func (a *Apps) CreateToDeploy(user, app string, fields Fields) (App, error) {
	return a.create(user, app, fields, func(d *document, p parsed) error {
		if p.hasSubdomain {
			d.Subdomain = p.subdomain
		}
		d.Domains = p.domains
		return nil
	})
}

func (a *Apps) create(user, app string, fields Fields, set func(*document, parsed) error) (App, error) {
	if err := checkName("app", app); err != nil {
		return App{}, err
	}
	if _, ok := fields["subdomain"]; !ok {
		if _, err := a.subdomain([]byte(`""`), app); err != nil {
			return App{}, err
		}
	}
	read, err := a.parse(app, fields)
	if err != nil {
		return App{}, err
	}
	now := a.o.Now().UTC()
	d := document{User: user, Name: app, CTime: now, MTime: now}
	d.Subdomain, d.Drones = app, 1
	if err := set(&d, read); err != nil {
		return App{}, err
	}
	if err := a.docs.create(d); err != nil {
		return App{}, err
	}
	return a.view(d), nil
}

// Update changes the given fields and leaves the others unchanged. A new
// environment applies to drones that are started afterwards.
func (a *Apps) Update(user, app string, fields Fields, o Order) (App, error) {
	read, err := a.parse(app, fields)
	if err != nil {
		_, missing := a.docs.find(user, app)
		return App{}, cmp.Or(missing, err)
	}
	d, err := a.docs.update(user, app, func(d *document) error {
		if err := d.enter(o); err != nil {
			return err
		}
		return a.docs.set(d, read)
	})
	if err != nil {
		return App{}, err
	}
	return a.view(d), nil
}

// maxSource limits what an app is deployed from, in bytes.
const maxSource = 1024

// SetSource sets what deliveries deploy an app from; "" for anything.
func (a *Apps) SetSource(user, app, source string) (App, error) {
	if len(source) > maxSource || !utf8.ValidString(source) || strings.ContainsFunc(source, unicode.IsControl) {
		return App{}, core.Errorf(core.CodePlatformInvalid, "The source of an app must be text of at most %d bytes", maxSource)
	}
	return a.viewed(a.docs.update(user, app, func(d *document) error {
		d.Source = source
		return nil
	}))
}

// Find returns an app.
func (a *Apps) Find(user, app string) (App, error) {
	d, err := a.docs.find(user, app)
	if err != nil {
		return App{}, err
	}
	view := a.view(d)
	if used := a.o.Runner.Memory(user, app); used > 0 {
		view.fields["memory_used"] = used
	}
	return view, nil
}

// List returns a user's apps by name.
func (a *Apps) List(user string) ([]App, error) {
	documents, err := a.docs.all(user)
	apps := make([]App, 0, len(documents))
	for _, d := range documents {
		apps = append(apps, a.view(d))
	}
	return apps, err
}

// Destroy stops an app and removes it with all its files. It fails with
// [core.CodePlatformAppConflict] while a snapshot is being built. by is as in Start.
func (a *Apps) Destroy(ctx context.Context, user, app, by string) error {
	if _, err := a.docs.find(user, app); err != nil {
		return err
	}
	build := a.locksOf(user, app).build
	if !build.TryAcquire() {
		return core.Errorf(core.CodePlatformAppConflict, "A snapshot of the app is being built; destroy it when that has ended")
	}
	defer build.Release()
	release, err := a.acquireRun(ctx, user, app)
	if err != nil {
		return err
	}
	defer release()
	a.forget(user, app)
	// It must not run again without a part of its files, if this is interrupted.
	_, err = a.docs.update(user, app, func(d *document) error {
		d.Running, d.Former, d.Crash = nil, nil, nil
		return nil
	})
	if err != nil {
		return err // such as: it was destroyed meanwhile
	}
	// The document is removed last, so that an interrupted call can be repeated.
	if err := errors.Join(a.o.Runner.Destroy(ctx, user, app), a.o.Snapshots.RemoveApp(user, app)); err != nil {
		return wrapped("destroying an app", err)
	}
	return a.docs.remove(user, app, a.did(by))
}

// DestroyAll destroys all apps of a user.
func (a *Apps) DestroyAll(ctx context.Context, user string) error {
	documents, err := a.docs.all(user)
	for _, d := range documents {
		if err := a.Destroy(ctx, user, d.Name, ""); err != nil && core.CodeOf(err) != core.CodePlatformAppNotFound {
			return err
		}
	}
	return err
}

// Sweep removes files without a stored snapshot, left by a server that was killed,
// and versions of Node.js that no snapshot uses. It must not run during an upload.
func (a *Apps) Sweep() error {
	documents, err := a.docs.all("")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	var used []string
	for _, d := range documents {
		for _, s := range d.Snapshots {
			known[key(d.User, d.Name)+"/"+s.ID] = true
			used = append(append(used, s.Node), s.Path...)
		}
	}
	return a.o.Snapshots.Sweep(func(user, app, id string) bool { return known[key(user, app)+"/"+id] }, used)
}
