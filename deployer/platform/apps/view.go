package apps

import (
	"cmp"
	"encoding/json"
	"maps"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// The one datacenter of a platform, as GET /endpoints returns it.
const (
	Provider   = "webhooks"
	Datacenter = "local"
)

// Cloud is an app's datacenter, the number of its drones, and the limits of each.
type Cloud struct {
	Provider   string `json:"provider"`
	Datacenter string `json:"datacenter"`
	Drones     int    `json:"drones"`
	RAM        int    `json:"ram"` // MiB

	// Extensions of the hosted platform's API.
	CPUs      *float64 `json:"cpus,omitempty"`      // processors; nil: no limit, or not to be changed; 0: no limit
	Processes int      `json:"processes,omitempty"` // processes and threads; 0: the platform's default, or not to be changed
}

// cloud returns an app's cloud.
func (a *Apps) cloud(d document) []Cloud {
	c := Cloud{Provider: Provider, Datacenter: Datacenter, Drones: d.Drones, RAM: cmp.Or(d.Limits.RAM, a.o.Memory), Processes: d.Limits.Processes}
	if d.Limits.CPUs > 0 {
		c.CPUs = &d.Limits.CPUs
	}
	return []Cloud{c}
}

// The states of an app, as the API names them.
const (
	StateStarted = "started"
	StateStopped = "stopped"
	StateCrashed = "crashed" // it crashed repeatedly; the pauses between restarts grow
)

// Snapshot is a snapshot in the API.
type Snapshot struct {
	ID          string    `json:"id"`
	CTime       time.Time `json:"ctime"`
	MD5         string    `json:"md5"`
	Filename    string    `json:"filename"`
	Size        int64     `json:"size"`
	NodeVersion string    `json:"node"`
	Active      bool      `json:"active"`
	Running     bool      `json:"running"`
	Served      bool      `json:"served"` // it has replaced what ran before it, at some time
}

// viewSnapshots returns an app's snapshots, the oldest first.
func (d document) viewSnapshots(now status) []Snapshot {
	all := make([]Snapshot, 0, len(d.Snapshots))
	for _, s := range d.Snapshots {
		all = append(all, Snapshot{
			ID: s.ID, CTime: s.CTime, MD5: s.MD5, Filename: s.ID + ".tgz", Size: s.Size,
			NodeVersion: s.NodeVersion, Active: s.ID == d.Active, Running: s.ID == now.snapshot, Served: s.Served,
		})
	}
	return all
}

// status is the state of an app's drones in the API.
type status struct {
	state    string
	drones   int    // that are ready
	snapshot string // that runs; "" if none does
	reason   string // of the last crash
}

func (a *Apps) status(d document) status {
	s := a.o.Runner.State(d.User, d.Name)
	now := status{state: StateStopped, drones: s.Drones, snapshot: s.Snapshot, reason: s.Reason}
	switch s.Phase {
	case runner.Started, runner.Starting:
		now.state = StateStarted
	case runner.Crashed:
		now.state, now.snapshot = StateCrashed, "" // a crashed version does not run
	case runner.Stopped:
	}
	if !s.Next.IsZero() {
		now.reason += "; it is started again at " + s.Next.UTC().Format(time.TimeOnly) + " UTC"
	}
	if now.reason == "" && d.Crash != nil {
		now.reason = d.Crash.Reason
	}
	return now
}

// App is an app in the API: its own fields, over those of its package.json.
type App struct {
	fields map[string]any
}

// MarshalJSON returns the document of the API.
func (a App) MarshalJSON() ([]byte, error) { return json.Marshal(a.fields) }

// view returns the API's document of an app.
func (a *Apps) view(d document) App {
	now := a.status(d)
	next, _ := d.next()
	env, err := a.docs.openEnv(d, d.Set.Env, next.Package.Env)
	if err != nil {
		a.o.Logger.Error("environment not readable", "user", d.User, "app", d.Name, "error", err)
	}
	snapshots := d.viewSnapshots(now)
	own := map[string]any{
		"_id": key(d.User, d.Name), "name": d.Name, "user": d.User,
		"subdomain": d.Subdomain, "domains": append([]string{}, d.Domains...), "version": d.Version,
		"state": now.state, "drones": now.drones, "maxDrones": d.Drones,
		"env": env, "config": map[string]any{"cloud": a.cloud(d)},
		"snapshots": snapshots, "ctime": d.CTime, "mtime": d.MTime, "url": a.o.URL(d.Subdomain),
	}
	for _, s := range snapshots {
		if s.Active {
			own["active"] = s
		}
		if s.Running {
			own["running"] = s
		}
	}
	if now.reason != "" {
		own["reason"] = now.reason
	}
	if d.Source != "" {
		own["deployed_from"] = d.Source
	}
	if d.Crash != nil {
		own["crashed"] = d.Crash
	}
	fields := map[string]any{"engines": struct{}{}, "scripts": struct{}{}, "dependencies": struct{}{}}
	for name, value := range d.Package {
		fields[name] = value
	}
	maps.Copy(fields, own)
	return App{fields: fields}
}
