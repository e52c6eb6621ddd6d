package apps_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
)

// patience is how long a test waits for an event.
const patience = time.Minute

// builder builds nothing: the archive is the package.json.
type builder struct{}

// Sweep has nothing to remove.
func (builder) Sweep([]string) error { return nil }

// Build reads the package.json.
func (builder) Build(_ context.Context, s builds.Snapshot, _ io.Writer) (builds.Result, error) {
	text, err := io.ReadAll(s.Tgz)
	if err != nil {
		return builds.Result{}, err
	}
	done := builds.Result{Dir: s.Dir, Node: "/usr/bin/node", NodeVersion: "20.0.0", Web: "node server.js"}
	var fields struct {
		Env      map[string]string
		Procfile map[string]string // as the file would have it
		Webhooks struct {
			Switch string
			Cron   []project.CronJob
		}
	}
	_ = json.Unmarshal(text, &fields) // an environment that can't be is not read
	done.Env, done.StopFirst = fields.Env, fields.Webhooks.Switch != ""
	done.Cron = fields.Webhooks.Cron
	for name, command := range fields.Procfile {
		if name == "release" {
			done.Release = command
			continue
		}
		if done.Processes == nil {
			done.Processes = map[string]string{}
		}
		done.Processes[name] = command
	}
	if err := json.Unmarshal(text, &done.Package); err != nil {
		return builds.Result{}, err
	}
	return done, os.Mkdir(s.Dir, 0o700)
}

// fixture is Apps under test, with an app me/app.
type fixture struct {
	*apps.Apps
	t      *testing.T
	o      apps.Options
	dir    string
	runner *fakeRunner
	events chan apps.Event
	key    core.Secret

	unwritable atomic.Bool // what is done can't be recorded
}

func setup(t *testing.T, o apps.Options) *fixture {
	t.Helper()
	f := &fixture{t: t, o: o, dir: t.TempDir(), key: seal.NewKey()}
	f.open()
	if _, err := f.Create("me", "app", nil); err != nil {
		t.Fatal(err)
	}
	return f
}

// open opens the apps in the folder, as a server does that starts.
func (f *fixture) open() {
	f.t.Helper()
	db, err := bbolt.Open(filepath.Join(f.dir, "apps.db"), 0o600, &bbolt.Options{Timeout: time.Second, NoSync: true})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = db.Close() })
	keys, err := seal.Parse(f.key)
	if err != nil {
		f.t.Fatal(err)
	}
	store := snapshots.New(snapshots.Options{
		Dir: filepath.Join(f.dir, "archives"), Builds: filepath.Join(f.dir, "builds"), Builder: builder{},
	})
	if err := store.Prepare(); err != nil {
		f.t.Fatal(err)
	}
	f.runner = newFakeRunner()
	f.events = make(chan apps.Event, 100)
	events := f.events
	o := f.o
	o.DB, o.Seal, o.Snapshots, o.Runner = db, keys, store, f.runner
	o.URL = func(subdomain string) string { return "http://" + subdomain }
	o.Events = func(tx *bbolt.Tx, e apps.Event) error {
		if e.Kind != apps.EventCrashed && f.unwritable.Load() {
			return errors.New("the event can't be written")
		}
		tx.OnCommit(func() { events <- e })
		return nil
	}
	if o.MinReady == 0 {
		o.MinReady = time.Millisecond
	}
	if f.Apps, err = apps.New(o); err != nil {
		f.t.Fatal(err)
	}
	f.runner.crashed = f.Crashed
	f.t.Cleanup(f.Close)
	f.o.DB = db
}

// restart restarts the server.
func (f *fixture) restart() {
	f.t.Helper()
	f.Close()
	f.ok(f.o.DB.Close())
	f.open()
	f.ok(f.Resume(f.t.Context()))
}

// copied returns what another server finds that starts with the database as it
// is now, as after a server was killed.
func (f *fixture) copied() *fixture {
	f.t.Helper()
	again := &fixture{t: f.t, o: f.o, dir: f.t.TempDir(), key: f.key}
	again.o.DB = nil
	f.ok(f.o.DB.View(func(tx *bbolt.Tx) error { return tx.CopyFile(filepath.Join(again.dir, "apps.db"), 0o600) }))
	again.open()
	f.ok(again.Resume(f.t.Context()))
	return again
}

func (f *fixture) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// upload makes a snapshot of a package.json.
func (f *fixture) upload(id, packageJSON string) {
	f.t.Helper()
	_, err := f.Upload(f.t.Context(), "me", "app", id, "", strings.NewReader(packageJSON), io.Discard)
	f.ok(err)
}

// deploy uploads a snapshot and starts it, as a deployment does.
func (f *fixture) deploy(id, packageJSON string) {
	f.t.Helper()
	f.upload(id, packageJSON)
	f.ok(f.start(id))
}

func (f *fixture) start(id string) error {
	_, err := f.Start(f.t.Context(), "me", "app", id, "", "")
	return err
}

// update changes fields of the app, as a person does.
func (f *fixture) update(fields string) {
	f.t.Helper()
	var read apps.Fields
	f.ok(json.Unmarshal([]byte(fields), &read))
	_, err := f.Update("me", "app", read, "")
	f.ok(err)
}

// view is what the API shows of an app.
type view struct {
	Subdomain, Version, State, Reason string
	Domains                           []string
	Env                               map[string]string
	MaxDrones                         int
	Active, Running, Crashed          struct{ ID, Snapshot string }
	Snapshots                         []struct{ ID string }
}

func (f *fixture) view() (v view) {
	f.t.Helper()
	app, err := f.Find("me", "app")
	f.ok(err)
	text, err := json.Marshal(app)
	f.ok(err)
	f.ok(json.Unmarshal(text, &v))
	return v
}

// whole is all that can be seen of the app, in one text.
func (f *fixture) whole() string {
	f.t.Helper()
	v, runs := f.view(), f.runner.runs()
	var hosts []string
	for _, host := range []string{"app", "one", "two", "set"} {
		if user, app, ok := f.Lookup(host + ".localhost"); ok {
			hosts = append(hosts, host+"="+user+"/"+app)
		}
	}
	for _, host := range []string{"one.example.org", "two.example.org"} {
		if user, app, ok := f.Lookup(host); ok {
			hosts = append(hosts, host+"="+user+"/"+app)
		}
	}
	return fmt.Sprintf("%+v; hosts %v; runs %s %s %v with %d", v, hosts, runs.Snapshot, runs.Subdomain, runs.Env, runs.Drones)
}

// snapshots returns the ids of the app's snapshots, the oldest first; the active
// one has a star, the one that runs an exclamation mark.
func (f *fixture) snapshots() string {
	f.t.Helper()
	all, err := f.Snapshots("me", "app")
	f.ok(err)
	var ids []string
	for _, s := range all {
		id := s.ID
		if s.Active {
			id += "*"
		}
		if s.Running {
			id += "!"
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

// did fails unless the runner did that since the last call.
func (f *fixture) did(want ...string) {
	f.t.Helper()
	if got := f.runner.done(); !slices.Equal(got, want) {
		f.t.Errorf("the runner did %q, want %q", got, want)
	}
}

// does compares what the runner did until the last of want. An event is written with the
// change that it is about, before the runner has done all of it.
func (f *fixture) does(want ...string) {
	f.t.Helper()
	var got []string
	f.await(want[len(want)-1], func() bool {
		got = append(got, f.runner.done()...)
		return slices.Contains(got, want[len(want)-1])
	})
	if !slices.Equal(got, want) {
		f.t.Errorf("the runner did %q, want %q", got, want)
	}
}

// await waits until so returns true.
func (f *fixture) await(what string, so func() bool) {
	f.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-limit.C:
			f.t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// event returns the next event.
func (f *fixture) event() apps.Event {
	f.t.Helper()
	select {
	case e := <-f.events:
		return e
	case <-time.After(patience):
		f.t.Fatal("no event came")
		return apps.Event{}
	}
}
