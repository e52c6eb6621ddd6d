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
// fails, the app is unchanged. by is the user who starts it, for the event of that; ""
// for a server that deploys, which has a record of its own.
func (a *Apps) Start(ctx context.Context, user, app, snapshot string, o Order, by string) (App, error) {
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
	return a.viewed(a.switchTo(ctx, d, change{snapshot: s, drones: d.Drones, limits: d.Limits, stepwise: snapshot == "", by: by}))
}

// Restart restarts what runs with the current environment, or starts the active
// snapshot if nothing runs. by is as in Start.
func (a *Apps) Restart(ctx context.Context, user, app, by string) (App, error) {
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
	return a.viewed(a.switchTo(ctx, d, change{snapshot: s, drones: d.Drones, limits: d.Limits, keepActive: d.Running != nil, stepwise: true, by: by}))
}

func (a *Apps) viewed(d document, err error) (App, error) {
	if err != nil {
		return App{}, err
	}
	return a.view(d), nil
}

// Stop ends an app's drones and returns when none is left. If the disk is full, a
// restart of the server starts the app again. by is as in Start.
func (a *Apps) Stop(ctx context.Context, user, app, by string) (App, error) {
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
	a.o.Runner.Note(user, app, "the app is stopped")
	if d.Running == nil {
		return a.view(d), nil
	}
	stopped, err := a.docs.update(user, app, func(d *document) error {
		d.Running, d.Former, d.Crash = nil, nil, nil
		return nil
	}, a.did(by))
	if err != nil {
		a.o.Logger.Error("app stopped, but a restart of the server starts it again", "user", user, "app", app, "error", err)
		return a.view(d), nil
	}
	return a.view(stopped), nil
}

// Cloud returns an app's datacenter, number of drones and limits.
func (a *Apps) Cloud(user, app string) ([]Cloud, error) {
	d, err := a.docs.find(user, app)
	if err != nil {
		return nil, err
	}
	return a.cloud(d), nil
}

// SetCloud sets how many drones an app has, and their limits. If the entry names the datacenter,
// SetCloud also starts the app, as Start does, unless the snapshot to start runs
// already: the published clients deploy by that call alone. An entry without a
// name starts nothing. A number that is 0 is not changed. If the app runs, its
// drones are replaced, and SetCloud returns when that many are ready. by is as in
// Start.
func (a *Apps) SetCloud(ctx context.Context, user, app string, requested []Cloud, by string) ([]Cloud, error) {
	release, err := a.acquireRun(ctx, user, app)
	if err != nil {
		return nil, err
	}
	defer release()
	d, err := a.docs.find(user, app)
	if err != nil {
		return nil, err
	}
	drones, limits, named, err := a.wanted(d, requested)
	if err != nil {
		return nil, err
	}
	if err := a.o.Runner.CheckLimits(limits.runner()); err != nil {
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
	case ok && (!runs || state.Snapshot != s.ID || d.Drones != drones || d.Limits != limits):
		d, err = a.switchTo(ctx, d, change{snapshot: s, drones: drones, limits: limits, keepActive: !named, stepwise: true, by: by})
	default:
		d, err = a.docs.update(user, app, func(d *document) error {
			d.Drones, d.Limits = drones, limits
			if named && ok {
				d.Active = cmp.Or(d.Active, s.ID)
			}
			return nil
		}, a.did(by))
	}
	if err != nil {
		return nil, err
	}
	return a.cloud(d), nil
}

// The limits that an app may set.
const (
	minRAM       = 64 // MiB; Node.js does not start with less
	minProcesses = 16
	maxProcesses = 4096
	minCPUs      = 0.05
	maxCPUs      = 1024
)

// wanted returns what an app's cloud becomes; named reports whether the request
// names the datacenter.
func (a *Apps) wanted(d document, requested []Cloud) (drones int, l limits, named bool, err error) {
	refuse := func(format string, args ...any) (int, limits, bool, error) {
		return 0, limits{}, false, core.Errorf(core.CodePlatformInvalid, format, args...)
	}
	if len(requested) != 1 {
		return refuse("Send a list of one entry: this platform is one datacenter")
	}
	one := requested[0]
	named = one.Provider != "" || one.Datacenter != ""
	if named && (!slices.Contains([]string{"", Provider}, one.Provider) || one.Datacenter != Datacenter) {
		return refuse("There is no datacenter %.40q %.40q; see GET /endpoints", one.Provider, one.Datacenter)
	}
	drones, l = cmp.Or(one.Drones, d.Drones), d.Limits
	if drones < 1 || drones > a.o.MaxDrones {
		return refuse("An app may have 1 to %d drones", a.o.MaxDrones)
	}
	if one.RAM != 0 && one.RAM != cmp.Or(l.RAM, a.o.Memory) {
		if l.RAM = one.RAM; l.RAM < minRAM || l.RAM > a.o.MaxMemory {
			return refuse("A drone may have %d to %d MiB of memory; the operator raises the limit with --app-max-memory", minRAM, a.o.MaxMemory)
		}
	}
	if one.CPUs != nil {
		if l.CPUs = *one.CPUs; l.CPUs != 0 && !(l.CPUs >= minCPUs && l.CPUs <= maxCPUs) {
			return refuse("A drone may have %v to %v processors; 0 means no limit", minCPUs, maxCPUs)
		}
	}
	if one.Processes != 0 {
		if l.Processes = one.Processes; l.Processes < minProcesses || l.Processes > maxProcesses {
			return refuse("A drone may have %d to %d processes and threads", minProcesses, maxProcesses)
		}
	}
	return drones, l, named, nil
}
