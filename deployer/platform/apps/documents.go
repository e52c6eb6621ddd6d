package apps

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/bucket"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
)

// The buckets.
const (
	bucketApps  = "apps"
	bucketHosts = "hosts"
)

// document is an app as it is stored.
type document struct {
	User string `json:"user"`
	Name string `json:"name"`

	visible              // what the app is now
	Former    *visible   `json:"former,omitempty"` // what runs again if what runs crashes, while that is on trial
	Crash     *crash     `json:"crash,omitempty"`  // of the version that gave way to what runs
	Set       settings   `json:"set"`
	Pending   []string   `json:"pending,omitempty"` // fields that people set since the last start
	Order     Order      `json:"order,omitempty"`
	Source    string     `json:"source,omitempty"` // what deliveries deploy it from
	Snapshots []snapshot `json:"snapshots,omitempty"`

	CTime time.Time `json:"ctime"`
	MTime time.Time `json:"mtime"`
}

// visible is what a version changes of its app.
type visible struct {
	Subdomain string   `json:"subdomain"`
	Domains   []string `json:"domains,omitempty"`
	Version   string   `json:"version,omitempty"`
	Package   Fields   `json:"package,omitempty"` // the other fields of package.json
	Active    string   `json:"active,omitempty"`  // id of the snapshot that is started next
	Applied   string   `json:"applied,omitempty"` // id of the snapshot whose package.json it is
	Running   *running `json:"running,omitempty"` // nil: stopped
	Drones    int      `json:"drones"`
	Limits    limits   `json:"limits"`
}

// visibles returns all that d was or is.
func (d *document) visibles() []*visible {
	all := []*visible{&d.visible}
	if d.Former != nil {
		all = append(all, d.Former)
	}
	return all
}

// limits are those of each drone; what is 0 is the platform's default.
type limits struct {
	RAM       int     `json:"ram,omitempty"` // MiB
	CPUs      float64 `json:"cpus,omitempty"`
	Processes int     `json:"processes,omitempty"`
}

// runner returns the limits for the runner.
func (l limits) runner() runner.Limits {
	return runner.Limits{Memory: int64(l.RAM) << 20, CPUs: l.CPUs, Processes: l.Processes}
}

// running is what runs, or should.
type running struct {
	Snapshot string    `json:"snapshot"`
	Env      sealed    `json:"env,omitempty"`
	Since    time.Time `json:"since"`
}

// settings are set by people, and stored apart from those of a package.json.
type settings struct {
	Subdomain string   `json:"subdomain,omitempty"`
	Domains   []string `json:"domains,omitempty"`
	Env       sealed   `json:"env,omitempty"`
}

// crash describes a version that was rolled back.
type crash struct {
	Snapshot string    `json:"snapshot"`
	Reason   string    `json:"reason"`
	Time     time.Time `json:"time"`
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
	Served      bool      `json:"served,omitempty"` // it has replaced what ran before it

	// How it is run; see builds.Result.
	Dir       string            `json:"dir,omitempty"` // of the app, below the built folder
	Path      []string          `json:"path,omitempty"`
	Env       sealed            `json:"env,omitempty"` // over what people set
	Start     string            `json:"start"`
	Processes map[string]string `json:"processes,omitempty"`
	Release   string            `json:"release,omitempty"`
	Static    string            `json:"static,omitempty"`
	Fallback  string            `json:"fallback,omitempty"`
	Health    string            `json:"health,omitempty"`
	Sticky    bool              `json:"sticky,omitempty"`
	StopFirst bool              `json:"stop_first,omitempty"`
	Cron      []project.CronJob `json:"cron,omitempty"`

	Package packageFields `json:"package,omitzero"`
}

// served notes that a snapshot has replaced what ran before it.
func (d *document) served(id string) {
	d.Snapshots = slices.Clone(d.Snapshots)
	for i := range d.Snapshots {
		if d.Snapshots[i].ID == id {
			d.Snapshots[i].Served = true
		}
	}
}

func (d document) snapshot(id string) (s snapshot, ok bool) {
	for _, s := range d.Snapshots {
		if s.ID == id {
			return s, true
		}
	}
	return snapshot{}, false
}

// next returns the snapshot that a start runs: the active one, or the newest if
// none is active. ok is false if the app has no snapshots.
func (d document) next() (s snapshot, ok bool) {
	if s, ok = d.snapshot(d.Active); !ok && len(d.Snapshots) > 0 {
		return d.Snapshots[len(d.Snapshots)-1], true
	}
	return s, ok
}

// documents stores the apps' documents and the owner of each host.
type documents struct {
	db   *bbolt.DB
	seal *seal.Keys
	now  func() time.Time

	events func(*bbolt.Tx, Event) error

	writing sync.Mutex

	mu     sync.RWMutex
	owners map[string]string // the bucket of hosts, as the last transaction left it
}

// openDocuments opens the documents in a database.
func openDocuments(o Options) (*documents, error) {
	db := o.DB
	if err := bucket.Create(db, bucketApps, bucketHosts); err != nil {
		return nil, fmt.Errorf("apps: preparing the buckets: %w", err)
	}
	s := &documents{db: db, seal: o.Seal, now: o.Now, events: o.Events}
	if err := db.View(s.readOwners); err != nil {
		return nil, fmt.Errorf("apps: reading the hosts: %w", err)
	}
	return s, nil
}

// find returns an app's document.
func (s *documents) find(user, app string) (d document, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		d, err = read(tx, user, app)
		return err
	})
	return d, err
}

// all returns the documents of a user's apps by name; of all apps if user is "".
func (s *documents) all(user string) (found []document, err error) {
	prefix := []byte("")
	if user != "" {
		prefix = []byte(key(user, ""))
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketApps)).Cursor()
		for k, text := c.Seek(prefix); bytes.HasPrefix(k, prefix) && k != nil; k, text = c.Next() {
			var d document
			if err := json.Unmarshal(text, &d); err != nil {
				return fmt.Errorf("the document of %s is damaged: %w", k, err)
			}
			found = append(found, d)
		}
		return nil
	})
	return found, wrapped("listing apps", err)
}

// create writes a new app's document.
func (s *documents) create(d document) error {
	return s.transact("creating an app", func(tx *bbolt.Tx) (before, after document, err error) {
		if tx.Bucket([]byte(bucketApps)).Get([]byte(key(d.User, d.Name))) != nil {
			return before, after, core.Errorf(core.CodePlatformAppConflict, "There is an app %s already", key(d.User, d.Name))
		}
		return document{}, d, nil
	})
}

// update changes an app's document in one durable step, and returns it. The
// app's hosts become those of the changed document. Refusals of change are
// returned as they are. Events of the change are recorded in the same step, so that
// none remains unknown if the server is killed.
func (s *documents) update(user, app string, change func(*document) error, events ...eventOf) (d document, err error) {
	err = s.transact("changing an app", func(tx *bbolt.Tx) (before, after document, err error) {
		if before, err = read(tx, user, app); err != nil {
			return before, after, err
		}
		if d, err = read(tx, user, app); err != nil { // which shares nothing with before
			return before, after, err
		}
		if err := change(&d); err != nil {
			return before, after, err
		}
		d.MTime = s.now().UTC()
		return before, d, nil
	}, events...)
	if err != nil {
		return document{}, err
	}
	return d, nil
}

// record records an event.
func (s *documents) record(e Event) error {
	return wrapped("recording an event", s.db.Update(func(tx *bbolt.Tx) error { return s.events(tx, e) }))
}

// remove removes an app's document, and frees its hosts. Events of that are recorded
// in the same step.
func (s *documents) remove(user, app string, events ...eventOf) error {
	return s.transact("destroying an app", func(tx *bbolt.Tx) (before, after document, err error) {
		before, err = read(tx, user, app)
		return before, document{}, err
	}, events...)
}

// transact writes the document that change returns, in a transaction that is
// durable when transact returns, with the events of the change. A document without a
// name does not exist.
func (s *documents) transact(doing string, change func(*bbolt.Tx) (before, after document, err error), events ...eventOf) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	var before, after document
	err := s.db.Update(func(tx *bbolt.Tx) (err error) {
		if before, after, err = change(tx); err != nil {
			return err
		}
		if err := claim(tx, before, after); err != nil {
			return err
		}
		for _, of := range events {
			if e, ok := of(before, after); ok {
				if err := s.events(tx, e); err != nil {
					return err
				}
			}
		}
		if after.Name == "" {
			return tx.Bucket([]byte(bucketApps)).Delete([]byte(key(before.User, before.Name)))
		}
		return write(tx, after)
	})
	if err != nil {
		return wrapped(doing, err)
	}
	s.own(before, after)
	return nil
}

func read(tx *bbolt.Tx, user, app string) (d document, err error) {
	text := tx.Bucket([]byte(bucketApps)).Get([]byte(key(user, app)))
	if text == nil {
		return document{}, core.Errorf(core.CodePlatformAppNotFound, "There is no app %s", key(user, app))
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return document{}, fmt.Errorf("apps: the document of %s is damaged: %w", key(user, app), err)
	}
	return d, nil
}

func write(tx *bbolt.Tx, d document) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return tx.Bucket([]byte(bucketApps)).Put([]byte(key(d.User, d.Name)), text)
}
