package apps

import (
	"cmp"
	"context"
	"slices"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Start starts the named snapshot, else the active one, else the newest, and
// replaces what runs once the new version has been up for Options.MinReady. If it
// fails, the app is unchanged.
func (a *Apps) Start(ctx context.Context, user, app, snapshot string, o Order) (App, error) {
	release, err := a.acquireRun(ctx, user, app)
	if err != nil {
		return App{}, err
	}
	defer release()
	d, err := a.docs.findInOrder(user, app, o)
	if err != nil {
		return App{}, err
	}
	s, ok := d.next()
	if !ok && snapshot == "" {
		return App{}, core.NewError(core.CodePlatformNoSnapshots, "", nil)
	}
	if snapshot != "" {
		if s, ok = d.snapshot(snapshot); !ok {
			return App{}, noSnapshot(snapshot)
		}
	}
	return a.viewed(a.switchTo(ctx, d, change{snapshot: s, drones: d.Drones, ram: d.RAM, stepwise: snapshot == ""}))
}

// Restart restarts what runs with the current environment, or starts the active
// snapshot if nothing runs.
func (a *Apps) Restart(ctx context.Context, user, app string) (App, error) {
	release, err := a.acquireRun(ctx, user, app)
	if err != nil {
		return App{}, err
	}
	defer release()
	d, err := a.docs.find(user, app)
	if err != nil {
		return App{}, err
	}
	s, ok := d.next()
	if d.Running != nil {
		if runs, still := d.snapshot(d.Running.Snapshot); still {
			s, ok = runs, true
		}
	}
	if !ok {
		return App{}, core.NewError(core.CodePlatformNoSnapshots, "", nil)
	}
	return a.viewed(a.switchTo(ctx, d, change{snapshot: s, drones: d.Drones, ram: d.RAM, keepActive: d.Running != nil, stepwise: true}))
}

func (a *Apps) viewed(d document, err error) (App, error) {
	if err != nil {
		return App{}, err
	}
	return a.view(d), nil
}

// Stop ends an app's drones and returns when none is left. If the disk is full, a
// restart of the server starts the app again.
func (a *Apps) Stop(ctx context.Context, user, app string) (App, error) {
	release, err := a.acquireRun(ctx, user, app)
	if err != nil {
		return App{}, err
	}
	defer release()
	d, err := a.docs.find(user, app)
	if err != nil {
		return App{}, err
	}
	a.forget(user, app)
	if err := a.o.Runner.Halt(ctx, user, app); err != nil {
		return App{}, wrapped("stopping an app", err)
	}
	if d.Running == nil {
		return a.view(d), nil
	}
	stopped, err := a.docs.update(user, app, func(d *document) error {
		d.Running, d.Former, d.Crash = nil, nil, nil
		return nil
	})
	if err != nil {
		a.o.Logger.Error("app stopped, but a restart of the server starts it again", "user", user, "app", app, "error", err)
		return a.view(d), nil
	}
	return a.view(stopped), nil
}

// Cloud returns an app's datacenter and number of drones.
func (a *Apps) Cloud(user, app string) ([]Cloud, error) {
	d, err := a.docs.find(user, app)
	if err != nil {
		return nil, err
	}
	return d.cloud(), nil
}

// SetCloud sets how many drones an app has. If the entry names the datacenter,
// SetCloud also starts the app, as Start does, unless the snapshot to start runs
// already: the published clients deploy by that call alone. An entry without a
// name starts nothing. A number that is 0 is not changed. SetCloud returns when
// that many drones are ready.
func (a *Apps) SetCloud(ctx context.Context, user, app string, requested []Cloud) ([]Cloud, error) {
	release, err := a.acquireRun(ctx, user, app)
	if err != nil {
		return nil, err
	}
	defer release()
	d, err := a.docs.find(user, app)
	if err != nil {
		return nil, err
	}
	wanted, named, err := a.wanted(d.cloud()[0], requested)
	if err != nil {
		return nil, err
	}
	state := a.o.Runner.State(user, app)
	runs := state.Phase == runner.Started || state.Phase == runner.Starting
	s, ok := d.snapshot(state.Snapshot)
	ok = ok && runs
	if next, found := d.next(); found && named {
		s, ok = next, true
	}
	switch {
	case ok && (!runs || state.Snapshot != s.ID || state.Wanted != wanted.Drones):
		d, err = a.switchTo(ctx, d, change{snapshot: s, drones: wanted.Drones, ram: wanted.RAM, keepActive: !named, stepwise: true})
	default:
		d, err = a.docs.update(user, app, func(d *document) error {
			d.Drones, d.RAM = wanted.Drones, wanted.RAM
			if named && ok {
				d.Active = cmp.Or(d.Active, s.ID)
			}
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	return d.cloud(), nil
}

// wanted returns what an app's cloud becomes; named reports whether the request
// names the datacenter.
func (a *Apps) wanted(before Cloud, requested []Cloud) (c Cloud, named bool, err error) {
	if len(requested) != 1 {
		return Cloud{}, false, core.Errorf(core.CodePlatformInvalid, "Send a list of one entry: this platform is one datacenter")
	}
	one := requested[0]
	named = one.Provider != "" || one.Datacenter != ""
	if named && (!slices.Contains([]string{"", Provider}, one.Provider) || one.Datacenter != Datacenter) {
		return Cloud{}, false, core.Errorf(core.CodePlatformInvalid, "There is no datacenter %.40q %.40q; see GET /endpoints", one.Provider, one.Datacenter)
	}
	c = before
	c.Drones = cmp.Or(one.Drones, c.Drones)
	c.RAM = cmp.Or(one.RAM, c.RAM)
	if c.Drones < 1 || c.Drones > a.o.MaxDrones || c.RAM < 1 || c.RAM > 1<<20 {
		return Cloud{}, false, core.Errorf(core.CodePlatformInvalid, "An app may have 1 to %d drones", a.o.MaxDrones)
	}
	return c, named, nil
}
