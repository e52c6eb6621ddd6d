package apps

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/deployer/platform/datacenters"
	"github.com/nodejitsu/webhooks/deployer/platform/problem"
)

// Cloud returns where an app lives.
func (a *Apps) Cloud(user, app string) ([]Cloud, error) {
	d, err := a.find(user, app)
	return d.Cloud, err
}

// SetCloud says where an app lives, and with how many drones: exactly in the
// datacenters that are asked for by name. The published clients deploy by that
// alone, so it starts the app there, as Start does, unless that runs already; an
// app without snapshots is only placed. One entry without a name is for the
// shares that a call to the datacenter at is for, and starts nothing that does
// not run. A number that is 0 stays as it was. SetCloud returns when so many
// drones answer; what is ended is ended after that.
func (a *Apps) SetCloud(ctx context.Context, user, app, at string, asked []Cloud) ([]Cloud, error) {
	release, err := a.hold(ctx, user, app, running)
	if err != nil {
		return nil, err
	}
	defer release()
	d, err := a.find(user, app)
	if err != nil {
		return nil, err
	}
	wanted, err := a.wanted(d, at, asked)
	if err != nil {
		return nil, err
	}
	now := a.standing(ctx, d)
	next, _ := d.next()
	// Written only when it is so: what can't run must not be what is started next.
	if nameless(asked) || next.ID == "" {
		err = a.resize(ctx, d, wanted, now)
	} else {
		err = a.deploy(ctx, d, wanted, now, next)
	}
	if err != nil {
		return nil, err
	}
	left := slices.DeleteFunc(slices.Clone(d.Cloud), func(c Cloud) bool {
		return slices.ContainsFunc(wanted, func(w Cloud) bool { return w.Datacenter == c.Datacenter })
	})
	d, err = a.update(user, app, func(tx *bbolt.Tx, d *document) error {
		d.Cloud = wanted
		if d.Active == "" && !nameless(asked) {
			d.Active = next.ID
		}
		return a.owe(tx, *d, left...)
	})
	if err != nil {
		return nil, err
	}
	return wanted, a.leave(ctx, d, left)
}

// wanted returns the shares that are asked for, each as it shall be.
func (a *Apps) wanted(d document, at string, asked []Cloud) ([]Cloud, error) {
	if len(asked) == 0 {
		return nil, problem.New(problem.Invalid, "invalid", "Send a list of datacenters, or of one entry with a number of drones")
	}
	wanted := slices.Clone(d.Cloud)
	if nameless(asked) {
		for _, share := range d.addressed(at) {
			i := slices.Index(wanted, share)
			wanted[i] = merged(share, asked[0])
		}
	} else {
		wanted = nil
		for _, one := range asked {
			if one.Provider != "" && one.Provider != datacenters.Provider || !a.o.Datacenters.Known(one.Datacenter) {
				return nil, problem.New(problem.Invalid, "invalid", "There is no datacenter %.40q %.40q; see GET /endpoints", one.Provider, one.Datacenter)
			}
			if slices.ContainsFunc(wanted, func(w Cloud) bool { return w.Datacenter == one.Datacenter }) {
				return nil, problem.New(problem.Invalid, "invalid", "The datacenter %q is in the list twice", one.Datacenter)
			}
			before, ok := d.share(one.Datacenter)
			if !ok {
				before = Cloud{Provider: datacenters.Provider, Datacenter: one.Datacenter, Drones: 1, RAM: defaultRAM}
			}
			wanted = append(wanted, merged(before, one))
		}
	}
	for _, share := range wanted {
		if share.Drones < 1 || share.Drones > a.o.MaxDrones || share.RAM < 1 || share.RAM > 1<<20 {
			return nil, problem.New(problem.Invalid, "invalid", "An app may have 1 to %d drones in a datacenter", a.o.MaxDrones)
		}
	}
	return wanted, nil
}

// nameless tells whether a cloud is for the shares that are addressed.
func nameless(asked []Cloud) bool {
	return len(asked) == 1 && asked[0].Datacenter == "" && asked[0].Provider == ""
}

func merged(before, asked Cloud) Cloud {
	if asked.Drones != 0 {
		before.Drones = asked.Drones
	}
	if asked.RAM != 0 {
		before.RAM = asked.RAM
	}
	return before
}

// deploy has a snapshot run in all the wanted shares, one after the other. A
// share that runs it already goes on.
func (a *Apps) deploy(ctx context.Context, d document, wanted []Cloud, now standing, s snapshot) error {
	for _, share := range wanted {
		if before, _ := d.share(share.Datacenter); now.runs[share.Datacenter] == s.ID && before.Drones == share.Drones {
			continue
		}
		if err := a.switchShare(ctx, d, share, s); err != nil {
			return err
		}
	}
	return nil
}

// resize has what runs in a share run with as many drones as are wanted.
func (a *Apps) resize(ctx context.Context, d document, wanted []Cloud, now standing) error {
	for _, share := range wanted {
		before, _ := d.share(share.Datacenter)
		s, runs := d.snapshot(now.runs[share.Datacenter])
		if !runs || before.Drones == share.Drones {
			continue
		}
		if err := a.switchShare(ctx, d, share, s); err != nil {
			return err
		}
	}
	return nil
}

// settleDown is how long the routers may still send requests to a share that
// the app has left.
const settleDown = time.Second

// leave ends the shares that an app has left.
func (a *Apps) leave(ctx context.Context, d document, left []Cloud) error {
	if len(left) == 0 {
		return nil
	}
	// What a router passed on before it knew is still on its way there.
	select {
	case <-time.After(settleDown):
	case <-ctx.Done():
	}
	var err error
	for _, share := range left {
		if share.Datacenter == a.here() {
			err = errors.Join(err, a.o.Drones.Halt(ctx, d.User, d.Name))
		} else {
			a.pay(ctx, share.Datacenter, d.User, d.Name)
		}
	}
	return wrapped("ending what ran before", err)
}
