package apps_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/drones"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
)

// patience is how long something may take that must happen. Only what hangs
// takes so long, however busy the machine is.
const patience = 10 * time.Minute

// builder takes the archive for the app's only file.
type builder struct{ node string }

// Sweep has nothing to remove.
func (builder) Sweep(func(string) bool) error { return nil }

// Build builds.
func (b builder) Build(_ context.Context, s builds.Snapshot, _ io.Writer) (builds.Result, error) {
	text, err := io.ReadAll(s.Tgz)
	if err != nil {
		return builds.Result{}, err
	}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		return builds.Result{}, err
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "server.js"), text, 0o600); err != nil {
		return builds.Result{}, err
	}
	return builds.Result{Dir: s.Dir, Node: b.node, NodeVersion: "20.0.0", Web: "server.js"}, nil
}

// bench is Apps under test, with an app me/app.
type bench struct {
	*apps.Apps
	t       *testing.T
	drones  *drones.Supervisor
	crashed chan struct{} // told of each app that is given up
	proved  chan struct{} // told of each version that there is no way back from
}

func setup(t *testing.T, o apps.Options) *bench {
	t.Helper()
	return setupTrial(t, o, time.Hour)
}

// setupTrial returns a bench whose versions are on trial for so long.
func setupTrial(t *testing.T, o apps.Options, trial time.Duration) *bench {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := &bench{t: t, crashed: make(chan struct{}, 10), proved: make(chan struct{}, 10)}
	former := ""
	b.drones = drones.New(drones.Options{
		Dir: filepath.Join(dir, "drones"), SameUser: true, Crashes: 1, Trial: trial, ReadyTimeout: patience,
		Notify: func(s drones.State) {
			if s.Phase == drones.Crashed {
				b.crashed <- struct{}{}
			}
			if former != "" && s.Former == "" {
				b.proved <- struct{}{}
			}
			former = s.Former
		},
	})
	if err := b.drones.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	store := snapshots.New(snapshots.Options{
		Dir: filepath.Join(dir, "archives"), Builds: filepath.Join(dir, "builds"), Builder: builder{node},
	})
	if err := store.Prepare(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(dir, "apps.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer cancel()
		if err := b.drones.Stop(ctx); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	o.DB, o.Snapshots, o.Drones = db, store, b.drones
	o.URL = func(subdomain string) string { return "http://" + subdomain }
	if b.Apps, err = apps.New(o); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Create("me", "app", nil); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// upload makes a snapshot of the file of an app.
func (b *bench) upload(id, file string) {
	b.t.Helper()
	_, err := b.Upload(b.t.Context(), "me", "app", id, "", strings.NewReader(file), io.Discard)
	b.ok(err)
}

// activate makes a snapshot the next to start.
func (b *bench) activate(id string) {
	b.t.Helper()
	_, err := b.Activate("me", "app", id, "")
	b.ok(err)
}

// start starts the app.
func (b *bench) start() {
	b.t.Helper()
	_, err := b.Start(b.t.Context(), "me", "app", "")
	b.ok(err)
}

// server is an app that answers with a text, and crashes where it is asked to.
func server(text string) string {
	return `require('http').createServer((req, res) => {
		if (req.url === '/crash') process.exit(1);
		res.end('` + text + `');
	}).listen(process.env.PORT)`
}

// get requests a path of a drone of the app; it returns "" where none runs, or
// none answers.
func (b *bench) get(path string) string {
	b.t.Helper()
	address, done, ok := b.drones.Pick("me", "app")
	if !ok {
		return ""
	}
	defer done()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+address+path, nil)
	b.ok(err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	b.ok(err)
	return string(text)
}

// crash has the app crash, and waits until it is given up.
func (b *bench) crash() {
	b.t.Helper()
	b.get("/crash")
	b.await(b.crashed, "the app does not crash")
}

func (b *bench) await(told chan struct{}, fault string) {
	b.t.Helper()
	select {
	case <-told:
	case <-time.After(patience):
		b.t.Fatal(fault)
	}
}

// snapshots returns the ids of the app's snapshots, the oldest first; the
// active one has a star, the one that runs an exclamation mark.
func (b *bench) snapshots() string {
	b.t.Helper()
	all, err := b.Snapshots("me", "app")
	b.ok(err)
	var told []string
	for _, s := range all {
		id := s.ID
		if s.Active {
			id += "*"
		}
		if s.Running {
			id += "!"
		}
		told = append(told, id)
	}
	return strings.Join(told, " ")
}
