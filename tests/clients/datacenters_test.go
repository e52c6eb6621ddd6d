package clients

import (
	"net"
	"net/http"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform"
)

// address returns one of this machine that nobody listens on.
func address(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nobody connected
	return l.Addr().String()
}

// The library sends writes to the datacenters themselves, and has no word for
// who of them is the home.
func TestDatacenters(t *testing.T) {
	t.Parallel()
	home, east := address(t), address(t)
	p := serve(t, platform.Options{Listen: home, Key: "the key", Branches: map[string]string{"east": "http://" + east}})
	branch := serve(t, platform.Options{Listen: east, Key: "the key", Datacenter: "east", Home: "http://" + home})
	me := user(t, p, "me")

	endpoints, _ := me.ok("apps.endpoints")["webhooks"].(map[string]any)
	if len(endpoints) != 2 || endpoints["local"] != "http://"+home || endpoints["east"] != "http://"+east {
		t.Fatalf("endpoints: %v", endpoints)
	}
	me.ok("apps.create", map[string]any{"name": "app", "subdomain": "app"})
	uploaded := me.call("snapshots.create", "app", "one", pack(t, map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","scripts":{"start":"server.js"}}`,
		"server.js":    `require('http').createServer((req, res) => res.end(__dirname)).listen(process.env.PORT)`,
	}))
	if uploaded.Error != nil {
		t.Fatalf("snapshots.create: %+v", uploaded.Error)
	}
	me.ok("snapshots.activate", "app", "one")
	me.ok("apps.start", "app")
	// served returns the folder of the app that both routers reach.
	served := func() string {
		t.Helper()
		status, folder := get(t, p, "app")
		again, same := get(t, branch, "app")
		if status != http.StatusOK || again != status || same != folder {
			t.Fatalf("home answers %d %q, east %d %q", status, folder, again, same)
		}
		return folder
	}
	atHome := served()

	// It moves; the library sends that to the new datacenter alone.
	var cloud []map[string]any
	me.list(&cloud, "apps.datacenter", "app", map[string]any{"provider": "webhooks", "datacenter": "east", "drones": 1, "ram": 256})
	if len(cloud) != 1 || cloud[0]["datacenter"] != "east" {
		t.Fatalf("apps.datacenter: %v", cloud)
	}
	if served() == atHome {
		t.Fatal("it did not move")
	}
	me.list(&cloud, "apps.setDrones", "app", 2)
	if len(cloud) != 1 || cloud[0]["drones"] != 2.0 {
		t.Fatalf("apps.setDrones: %v", cloud)
	}
	if app := me.ok("apps.view", "app"); app["drones"] != 2.0 || app["state"] != "started" {
		t.Fatalf("apps.view: %v", app)
	}

	// In both of them; each gets the whole list, and answers it.
	both := []map[string]any{
		{"provider": "webhooks", "datacenter": "local", "drones": 1},
		{"provider": "webhooks", "datacenter": "east", "drones": 1},
	}
	var clouds [][]map[string]any
	me.list(&clouds, "apps.datacenter", "app", both)
	if len(clouds) != 2 || len(clouds[0]) != 2 {
		t.Fatalf("apps.datacenter: %v", clouds)
	}
	for _, call := range []string{"apps.restart", "apps.stop", "apps.start"} {
		var answers []map[string]any
		me.list(&answers, call, "app")
		if len(answers) != 2 {
			t.Fatalf("%s: %v", call, answers)
		}
	}
	_, one := get(t, p, "app")
	_, other := get(t, branch, "app")
	if one != atHome || other == atHome {
		t.Errorf("home answers from %s, east from %s", one, other)
	}
	me.ok("apps.destroy", "app")
	for name, at := range map[string]*platform.Platform{"home": p, "east": branch} {
		if status, _ := get(t, at, "app"); status != http.StatusNotFound {
			t.Errorf("destroyed, %s answers %d", name, status)
		}
	}
}

// Deploying to a datacenter by its name is deploying: the library itself sends
// no start.
func TestDeployToADatacenter(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	me := user(t, p, "me")
	here := map[string]any{"provider": "webhooks", "datacenter": "local", "drones": 1, "ram": 256}
	deploy := func(version string) {
		t.Helper()
		if uploaded := me.call("snapshots.create", "app", version, hello(t, version)); uploaded.Error != nil {
			t.Fatalf("snapshots.create: %+v", uploaded.Error)
		}
		me.ok("snapshots.activate", "app", version)
		var cloud []map[string]any
		me.list(&cloud, "apps.datacenter", "app", here)
		if status, body := get(t, p, "app"); status != http.StatusOK || body != version {
			t.Fatalf("the app answers %d %q, want %q", status, body, version)
		}
	}
	me.ok("apps.create", map[string]any{"name": "app", "subdomain": "app"})
	deploy("v1") // a new app
	deploy("v2") // in the place of another version
	me.ok("apps.stop", "app")
	deploy("v3") // one that is stopped
}
