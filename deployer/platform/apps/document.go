package apps

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/drones"
)

// document is an app as it is stored.
type document struct {
	User      string                     `json:"user"`
	Name      string                     `json:"name"`
	Subdomain string                     `json:"subdomain"`
	Domains   []string                   `json:"domains,omitempty"`
	Version   string                     `json:"version,omitempty"`
	Env       map[string]string          `json:"env,omitempty"`
	Cloud     []Cloud                    `json:"cloud"`             // one: where it runs
	Package   map[string]json.RawMessage `json:"package,omitempty"` // the other fields of package.json
	Snapshots []snapshot                 `json:"snapshots,omitempty"`
	Active    string                     `json:"active,omitempty"` // a snapshot's id
	Order     Order                      `json:"order,omitempty"`  // of the latest deployment
	CTime     time.Time                  `json:"ctime"`
	MTime     time.Time                  `json:"mtime"`
}

// snapshot is a built snapshot as it is stored, in an app's document; the
// oldest is the first.
type snapshot struct {
	ID          string    `json:"id"`
	MD5         string    `json:"md5"`
	Size        int64     `json:"size"`
	CTime       time.Time `json:"ctime"`
	Node        string    `json:"node"`
	NodeVersion string    `json:"node_version"`

	// How it is run; see builds.Result.
	Dir       string            `json:"dir,omitempty"` // of the app, below the built folder
	Path      []string          `json:"path,omitempty"`
	Env       map[string]string `json:"env,omitempty"` // over what people set
	Start     string            `json:"start"`
	Processes map[string]string `json:"processes,omitempty"`
	Release   string            `json:"release,omitempty"`
	Static    string            `json:"static,omitempty"`
	Fallback  string            `json:"fallback,omitempty"`
	Health    string            `json:"health,omitempty"`
}

func (d document) snapshot(id string) (s snapshot, ok bool) {
	for _, s := range d.Snapshots {
		if s.ID == id {
			return s, true
		}
	}
	return snapshot{}, false
}

// next returns the snapshot that a start runs: the active one, or the newest
// where none is active. ok is false where there is none at all.
func (d document) next() (s snapshot, ok bool) {
	if s, ok = d.snapshot(d.Active); !ok && len(d.Snapshots) > 0 {
		return d.Snapshots[len(d.Snapshots)-1], true
	}
	return s, ok
}

// Snapshot is what is told of a snapshot.
type Snapshot struct {
	ID          string    `json:"id"`
	CTime       time.Time `json:"ctime"`
	MD5         string    `json:"md5"`
	Filename    string    `json:"filename"`
	Size        int64     `json:"size"`
	NodeVersion string    `json:"node"`
	Active      bool      `json:"active"`
	Running     bool      `json:"running"`
}

func (d document) tell(s snapshot, runs string) Snapshot {
	return Snapshot{
		ID: s.ID, CTime: s.CTime, MD5: s.MD5, Filename: s.ID + ".tgz", Size: s.Size,
		NodeVersion: s.NodeVersion, Active: s.ID == d.Active, Running: s.ID == runs,
	}
}

// What GET /endpoints names: the one datacenter that a platform is.
const (
	Provider   = "webhooks"
	Datacenter = "local"
)

// Cloud is where an app runs, and with how many drones.
type Cloud struct {
	Provider   string `json:"provider"`
	Datacenter string `json:"datacenter"`
	Drones     int    `json:"drones"`
	RAM        int    `json:"ram"` // MiB; kept as it was asked for
}

const defaultRAM = 256 // MiB, the hosted platform's smallest drone

// The states of an app, as the API names them.
const (
	StateStarted = "started"
	StateStopped = "stopped"
	StateCrashed = "crashed" // it crashed too often and was given up
)

// App is what is told of an app: the fields that the API knows, over those of
// its package.json.
type App struct {
	fields map[string]any
}

// MarshalJSON returns the document as the API has it.
func (a App) MarshalJSON() ([]byte, error) { return json.Marshal(a.fields) }

// tell returns what is told of an app that stands so.
func (a *Apps) tell(d document, state standing) App {
	all := make([]Snapshot, 0, len(d.Snapshots))
	var active, runs *Snapshot
	for _, s := range d.Snapshots {
		told := d.tell(s, state.snapshot)
		all = append(all, told)
		if told.Active {
			active = &told
		}
		if told.Running {
			runs = &told
		}
	}
	fields := map[string]any{}
	for name, value := range d.Package {
		fields[name] = value
	}
	own := map[string]any{
		"_id": key(d.User, d.Name), "name": d.Name, "user": d.User,
		"subdomain": d.Subdomain, "domains": append([]string{}, d.Domains...), "version": d.Version,
		"state": state.state, "drones": state.drones, "maxDrones": d.Cloud[0].Drones,
		"env": orEmpty(d.Env), "config": map[string]any{"cloud": d.Cloud},
		"snapshots": all, "ctime": d.CTime, "mtime": d.MTime, "url": a.o.URL(d.Subdomain),
	}
	for _, name := range []string{"engines", "scripts", "dependencies"} {
		if _, ok := fields[name]; !ok {
			own[name] = struct{}{}
		}
	}
	if active != nil {
		own["active"] = active
	}
	if runs != nil {
		own["running"] = runs
	}
	if state.reason != "" {
		own["reason"] = state.reason
	}
	if state.crash.Drones > 0 {
		own["crashed"] = state.crash
	}
	maps.Copy(fields, own)
	return App{fields: fields}
}

// standing is the state of an app's drones in the API's words.
type standing struct {
	state    string
	drones   int    // that are ready
	snapshot string // that runs; "" if none does
	reason   string // of the last crash
	crash    drones.Crash
}

func (a *Apps) standing(d document) standing {
	s := a.o.Drones.State(d.User, d.Name)
	now := standing{state: stateOf(s.Phase), drones: s.Drones, snapshot: s.Snapshot, reason: s.Reason, crash: s.Crash}
	if s.Phase == drones.Crashed {
		now.snapshot = "" // what crashed does not run
	}
	return now
}

func stateOf(phase drones.Phase) string {
	switch phase {
	case drones.Started, drones.Starting:
		return StateStarted
	case drones.Crashed:
		return StateCrashed
	default:
		return StateStopped
	}
}

func orEmpty(env map[string]string) map[string]string {
	if env == nil {
		return map[string]string{}
	}
	return env
}
