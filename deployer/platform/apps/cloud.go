package apps

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// Cloud returns where an app runs, and with how many drones.
func (a *Apps) Cloud(user, app string) ([]Cloud, error) {
	d, err := a.find(user, app)
	return d.Cloud, err
}

// SetCloud sets how many drones an app has. If the entry names the datacenter,
// SetCloud also starts the app, as Start does, unless the snapshot to start runs
// already: the published clients deploy by that call alone. An entry without a
// name starts nothing. A number that is 0 stays as it was. SetCloud returns when
// so many drones answer.
func (a *Apps) SetCloud(ctx context.Context, user, app string, requested []Cloud) ([]Cloud, error) {
	release, err := a.hold(ctx, user, app, running)
	if err != nil {
		return nil, err
	}
	defer release()
	d, err := a.find(user, app)
	if err != nil {
		return nil, err
	}
	wanted, named, err := a.wanted(d.Cloud[0], requested)
	if err != nil {
		return nil, err
	}
	now := a.standing(d)
	s, run := d.snapshot(now.snapshot)
	if next, ok := d.next(); ok && named {
		s, run = next, true
	}
	// Written only after it has started: what can't run must not be what is
	// started next.
	if run && (now.snapshot != s.ID || d.Cloud[0].Drones != wanted.Drones) {
		if err := a.switchTo(ctx, d, s, wanted.Drones); err != nil {
			return nil, err
		}
	}
	d, err = a.update(user, app, func(_ *bbolt.Tx, d *document) error {
		d.Cloud = []Cloud{wanted}
		if d.Active == "" && named {
			d.Active = s.ID
		}
		return nil
	})
	return d.Cloud, err
}

// wanted returns what an app's cloud becomes; named reports whether the request
// names the datacenter.
func (a *Apps) wanted(before Cloud, requested []Cloud) (c Cloud, named bool, err error) {
	if len(requested) != 1 {
		return Cloud{}, false, core.Errorf(core.CodePlatformInvalid, "Send a list of one entry: this platform is one datacenter")
	}
	one := requested[0]
	named = one.Provider != "" || one.Datacenter != ""
	if named && (one.Provider != "" && one.Provider != Provider || one.Datacenter != Datacenter) {
		return Cloud{}, false, core.Errorf(core.CodePlatformInvalid, "There is no datacenter %.40q %.40q; see GET /endpoints", one.Provider, one.Datacenter)
	}
	c = before
	if one.Drones != 0 {
		c.Drones = one.Drones
	}
	if one.RAM != 0 {
		c.RAM = one.RAM
	}
	if c.Drones < 1 || c.Drones > a.o.MaxDrones || c.RAM < 1 || c.RAM > 1<<20 {
		return Cloud{}, false, core.Errorf(core.CodePlatformInvalid, "An app may have 1 to %d drones", a.o.MaxDrones)
	}
	return c, named, nil
}
