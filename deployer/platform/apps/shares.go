package apps

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/datacenters"
	"github.com/nodejitsu/webhooks/deployer/platform/drones"
	"github.com/nodejitsu/webhooks/deployer/platform/problem"
)

// standing is how an app stands in all the datacenters where it lives.
type standing struct {
	state    string            // StateStarted where it is started anywhere
	drones   int               // that are ready, in all
	snapshot string            // what runs; the first share that runs tells
	reason   string            // of a crash, or why nothing is known
	crash    drones.Crash      // the last time that drones were given up; the first share that has one tells
	runs     map[string]string // by datacenter, the snapshot that runs there
}

// add adds how the app stands in one datacenter.
func (s *standing) add(datacenter string, there standing) {
	switch {
	case there.state == StateStarted, s.state == "":
		s.state = there.state
	case there.state == StateCrashed && s.state == StateStopped:
		s.state = there.state
	}
	s.drones += there.drones
	if there.state == StateCrashed {
		there.snapshot = "" // what crashed does not run
	}
	if there.snapshot != "" {
		s.runs[datacenter] = there.snapshot
	}
	s.snapshot = cmp.Or(s.snapshot, there.snapshot)
	s.reason = cmp.Or(s.reason, there.reason)
	s.crash = cmp.Or(s.crash, there.crash)
}

// askWithin bounds what a datacenter that doesn't answer costs somebody who
// only wants to look.
const askWithin = 3 * time.Second

// stand returns how apps of one user stand, by app.
func (a *Apps) stand(ctx context.Context, user string, documents ...document) map[string]standing {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	elsewhere := map[string]map[string]standing{} // by datacenter and app
	all := map[string]standing{}
	for _, d := range documents {
		s := standing{runs: map[string]string{}}
		for _, share := range d.Cloud {
			if share.Datacenter == a.here() {
				s.add(share.Datacenter, standingOf(a.o.Drones.State(user, d.Name)))
				continue
			}
			if _, asked := elsewhere[share.Datacenter]; !asked {
				elsewhere[share.Datacenter] = a.standThere(ctx, share.Datacenter, user)
			}
			there, ok := elsewhere[share.Datacenter][d.Name]
			if !ok {
				there = elsewhere[share.Datacenter][""]
			}
			s.add(share.Datacenter, there)
		}
		all[d.Name] = s
	}
	return all
}

// standThere returns how a user's apps stand in another datacenter, by app;
// under "" how all others do.
func (a *Apps) standThere(ctx context.Context, datacenter, user string) map[string]standing {
	found := map[string]standing{"": {state: StateStopped}}
	apps, err := a.o.Datacenters.Apps(ctx, datacenter, user)
	if err != nil {
		a.o.Logger.WarnContext(ctx, "datacenter not asked", "datacenter", datacenter, "error", err)
		found[""] = standing{state: StateStopped, reason: fmt.Sprintf("The datacenter %s can't be reached, so nobody knows", datacenter)}
		return found
	}
	for _, app := range apps {
		s := standing{state: app.State, drones: app.Drones, reason: app.Reason}
		if app.Running != nil {
			s.snapshot = app.Running.ID
		}
		if c := app.Crashed; c != nil {
			s.crash = drones.Crash{Snapshot: c.Snapshot, Drones: c.Drones, Reason: c.Reason, Time: c.Time.Time}
		}
		found[app.Name] = s
	}
	return found
}

func standingOf(s drones.State) standing {
	return standing{state: stateOf(s.Phase), drones: s.Drones, snapshot: s.Snapshot, reason: s.Reason, crash: s.Crash}
}

// standing returns how one app stands.
func (a *Apps) standing(ctx context.Context, d document) standing {
	return a.stand(ctx, d.User, d)[d.Name]
}

func (a *Apps) here() string { return a.o.Datacenters.Here() }

// share returns an app's share of a datacenter.
func (d document) share(datacenter string) (c Cloud, ok bool) {
	i := slices.IndexFunc(d.Cloud, func(c Cloud) bool { return c.Datacenter == datacenter })
	if i < 0 {
		return Cloud{}, false
	}
	return d.Cloud[i], true
}

// addressed returns the shares that a call to a datacenter is for.
func (d document) addressed(datacenter string) []Cloud {
	if share, ok := d.share(datacenter); ok {
		return []Cloud{share}
	}
	return d.Cloud
}

// elsewhere returns the shares in other datacenters.
func (a *Apps) elsewhere(d document) []Cloud {
	return slices.DeleteFunc(slices.Clone(d.Cloud), func(c Cloud) bool { return c.Datacenter == a.here() })
}

// Lives returns the datacenters where an app lives; none where there is no
// such app.
func (a *Apps) Lives(user, app string) []string {
	d, err := a.find(user, app)
	if err != nil {
		return nil
	}
	var names []string
	for _, share := range d.Cloud {
		names = append(names, share.Datacenter)
	}
	return names
}

// switchShare has a share run a snapshot.
func (a *Apps) switchShare(ctx context.Context, d document, share Cloud, s snapshot) error {
	if share.Datacenter == a.here() {
		return a.switchTo(ctx, d, share, s)
	}
	err := a.keep(ctx, d.User, d.Name, share)
	if err == nil {
		err = a.send(ctx, d, share, s.ID, io.Discard)
	}
	if err == nil {
		err = a.o.Datacenters.Start(ctx, share.Datacenter, d.User, d.Name, s.ID)
	}
	return wrapped("starting an app elsewhere", err)
}

// send has another datacenter build a snapshot where it has not.
func (a *Apps) send(ctx context.Context, d document, share Cloud, id string, out io.Writer) error {
	open := func() (io.ReadCloser, error) { return a.o.Snapshots.Open(d.User, d.Name, id) }
	return a.o.Datacenters.Send(ctx, share.Datacenter, d.User, d.Name, id, open, out)
}

// sendElsewhere has the other datacenters of an app build a new snapshot. One
// that can't be reached builds it when the app is started there.
func (a *Apps) sendElsewhere(ctx context.Context, user, app, id string, out io.Writer) error {
	d, err := a.find(user, app)
	if err != nil {
		return err
	}
	for _, share := range a.elsewhere(d) {
		if _, err := fmt.Fprintf(out, "\nIn the datacenter %s:\n", share.Datacenter); err != nil {
			return err
		}
		err := a.keep(ctx, user, app, share)
		if err == nil {
			err = a.send(ctx, d, share, id, out)
		}
		if problem.Is(err, problem.Busy) {
			_, err = fmt.Fprintln(out, "It can't be reached now; it builds the snapshot when the app is started there.")
		}
		if refused, ok := errors.AsType[*problem.Error](err); ok && refused.Kind == problem.Failed {
			return problem.New(problem.Failed, NameBuildFailed, "%s", refused.Message)
		}
		if err != nil {
			return wrapped("building a snapshot elsewhere", err)
		}
	}
	return nil
}

// copied is what another datacenter is to know of an app.
func (d document) copied(share Cloud) datacenters.Share {
	fields := maps.Clone(d.Package)
	if fields == nil {
		fields = map[string]json.RawMessage{}
	}
	for name, value := range map[string]any{
		"version": d.Version, "subdomain": d.Subdomain, "domains": append([]string{}, d.Domains...), "env": orEmpty(d.Env),
	} {
		fields[name], _ = json.Marshal(value) // of texts alone
	}
	return datacenters.Share{User: d.User, App: d.Name, Fields: fields, Drones: share.Drones, RAM: share.RAM}
}

// stopShare ends the drones of a share.
func (a *Apps) stopShare(ctx context.Context, d document, share Cloud) error {
	if share.Datacenter == a.here() {
		return a.o.Drones.Halt(ctx, d.User, d.Name)
	}
	return a.o.Datacenters.Stop(ctx, share.Datacenter, d.User, d.Name)
}

// logsElsewhere returns the lines of an app's drones in other datacenters. Of
// one that can't be reached they are missing.
func (a *Apps) logsElsewhere(ctx context.Context, d document, from, until time.Time, rows int) []Line {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var found []Line
	for _, share := range a.elsewhere(d) {
		lines, err := a.o.Datacenters.Logs(ctx, share.Datacenter, d.User, d.Name, from, until, rows)
		if err != nil && !errors.Is(err, context.Canceled) {
			a.o.Logger.WarnContext(ctx, "datacenter not asked", "datacenter", share.Datacenter, "error", err)
		}
		for _, l := range lines {
			stream := drones.Stdout
			if l.Stderr {
				stream = drones.Stderr
			}
			found = append(found, Line{App: d.Name, Line: drones.Line{Time: l.Time, Drone: l.Drone, Stream: stream, Text: l.Text}})
		}
	}
	return found
}
