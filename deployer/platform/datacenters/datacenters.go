package datacenters

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform/problem"
)

// Provider is what GET /endpoints lists our datacenters under.
const Provider = "webhooks"

// Local names the home where its configuration doesn't.
const Local = "local"

// Options are what [New] takes; none is required.
type Options struct {
	Here     string            // the name of this datacenter; default [Local]
	Home     string            // URL of the home's API; "" where this is the home
	Branches map[string]string // at the home, URL of each branch's API by name
	Key      core.Secret       // that all of them share
	Logger   *slog.Logger      // default: discards
}

// Datacenters are this platform and those that it was told of. They may be
// used concurrently.
type Datacenters struct {
	o          Options
	home       *nodejitsu.Client            // nil where this is the home
	branches   map[string]*nodejitsu.Client // by name
	neighbours neighbours
}

// New returns Datacenters. It calls nobody yet. It fails with all faults of o.
func New(o Options) (*Datacenters, error) {
	o.Here = cmp.Or(o.Here, Local)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	var faults []error
	check := func(name, address string) {
		if !core.ValidName(name) {
			faults = append(faults, fmt.Errorf("datacenters: %q can't name a datacenter: lower-case letters, digits, '.', '_' and '-' may stand in it", name))
		}
		u, err := url.Parse(address)
		if address != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			faults = append(faults, fmt.Errorf("datacenters: the URL of %s is none; write http://HOST:PORT, the address of its platform's API", name))
		}
	}
	check(o.Here, o.Home)
	for name, address := range o.Branches {
		check(name, address)
		if name == o.Here || address == "" {
			faults = append(faults, fmt.Errorf("datacenters: %s needs a name and a URL of its own", name))
		}
	}
	if o.Home != "" && len(o.Branches) > 0 {
		faults = append(faults, errors.New("datacenters: a branch has no branches; list them at the home alone"))
	}
	if o.Home != "" && o.Here == Local {
		faults = append(faults, fmt.Errorf("datacenters: a branch needs a name; %q is the home's", Local))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	d := &Datacenters{o: o, branches: map[string]*nodejitsu.Client{}, neighbours: neighbours{found: map[string]found{}}}
	for name, address := range o.Branches {
		d.branches[name] = d.client(address, name)
	}
	if o.Home != "" {
		d.home = d.client(o.Home, "")
	}
	return d, nil
}

func (d *Datacenters) client(address, datacenter string) *nodejitsu.Client {
	return nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return address }, Datacenter: datacenter,
		Username: core.ServiceUser, Password: func() core.Secret { return d.o.Key }, Logger: d.o.Logger,
	})
}

// Close ends the connections that nobody is using.
func (d *Datacenters) Close() {
	for _, branch := range d.branches {
		branch.Close()
	}
	if d.home != nil {
		d.home.Close()
	}
}

// Here is the name of this datacenter.
func (d *Datacenters) Here() string { return d.o.Here }

// Branch tells whether this platform is one, and not the home.
func (d *Datacenters) Branch() bool { return d.home != nil }

// Known tells whether an app can live there.
func (d *Datacenters) Known(datacenter string) bool {
	return datacenter == d.o.Here || d.branches[datacenter] != nil
}

// Names lists the datacenters, this one first.
func (d *Datacenters) Names() []string {
	return append([]string{d.o.Here}, slices.Sorted(maps.Keys(d.branches))...)
}

// Endpoints is what GET /endpoints tells; here is the URL that this platform
// was called at.
func (d *Datacenters) Endpoints(here string) map[string]map[string]string {
	all := map[string]string{d.o.Here: here}
	for name, address := range d.o.Branches {
		all[name] = strings.TrimRight(address, "/")
	}
	return map[string]map[string]string{Provider: all}
}

// branch returns the client of a datacenter, which calls it for what is there.
func (d *Datacenters) branch(datacenter string) (*nodejitsu.Client, error) {
	if client := d.branches[datacenter]; client != nil {
		return client, nil
	}
	return nil, problem.New(problem.Busy, "unreachable", "The datacenter %s is in the configuration no longer", datacenter)
}
