package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform"
)

// A deployment, as the command jitsu makes it with this library.
func TestDeployment(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	me := user(t, p, "me")
	app := map[string]any{"name": "app", "subdomain": "sub", "version": "1.0.0", "engines": map[string]string{"node": ">=0.8"}, "scripts": map[string]string{"start": "server.js"}}
	if ok := me.ok("users.auth"); ok["authorized"] != true {
		t.Errorf("users.auth: %v", ok)
	}
	me.refused(404, "not_found", "apps.view", "app")
	free := map[string]any{"available": true, "appname": true, "subdomain": true}
	if got := me.ok("apps.available", app); !reflect.DeepEqual(got, free) {
		t.Errorf("apps.available: %v", got)
	}
	me.ok("apps.create", app)
	taken := map[string]any{"available": false, "appname": false, "subdomain": true}
	if got := me.ok("apps.available", app); !reflect.DeepEqual(got, taken) {
		t.Errorf("apps.available of what is there: %v", got)
	}
	me.refused(409, "conflict", "apps.create", app)
	if message := me.refused(400, "no_snapshots", "apps.start", "app"); message != "Cannot start application with no snapshots" {
		t.Errorf("the message is %q", message)
	}

	first := hello(t, "one")
	uploaded := me.call("snapshots.create", "app", "v1", first)
	if uploaded.Error != nil || uploaded.Status != 200 || len(uploaded.Trailers) != 0 || !strings.Contains(uploaded.output, "Using Node.js") {
		t.Fatalf("snapshots.create: %+v", uploaded)
	}
	if info, err := os.Stat(first); err != nil || uploaded.Sent.Start != info.Size() || uploaded.Sent.Data < info.Size() || !uploaded.Sent.End {
		t.Errorf("the progress was %+v, of %d bytes, %v", uploaded.Sent, info.Size(), err)
	}
	if got := me.ok("snapshots.activate", "app", "v1"); active(got) != "v1" {
		t.Errorf("snapshots.activate: %v", got)
	}
	started := me.ok("apps.start", "app")["app"].(map[string]any)
	if started["state"] != "started" || started["running"].(map[string]any)["filename"] != "v1.tgz" {
		t.Errorf("apps.start: %v", started)
	}
	if status, body := get(t, p, "sub"); status != 200 || body != "one" {
		t.Errorf("the app answers %d %q", status, body)
	}

	me.ok("apps.update", "app", map[string]any{"version": "1.0.1", "env": map[string]string{"A": "b"}})
	if again := me.call("snapshots.create", "app", "v2", hello(t, "two")); again.Error != nil {
		t.Fatalf("snapshots.create: %+v", again.Error)
	}
	me.ok("snapshots.activate", "app", "v2")
	me.ok("apps.start", "app")
	if _, body := get(t, p, "sub"); body != "two" {
		t.Errorf("the new version answers %q", body)
	}
	view := me.ok("apps.view", "app")
	if view["_id"] != "me/app" || view["version"] != "1.0.1" || !reflect.DeepEqual(view["env"], map[string]any{"A": "b"}) {
		t.Errorf("apps.view: %v", view)
	}
	var apps, snapshots []map[string]any
	me.list(&apps, "apps.list")
	if len(apps) != 1 || apps[0]["name"] != "app" || apps[0]["state"] != "started" {
		t.Errorf("apps.list: %v", apps)
	}
	me.list(&snapshots, "snapshots.list", "app")
	if len(snapshots) != 2 || snapshots[0]["id"] != "v1" || snapshots[1]["active"] != true || snapshots[1]["running"] != true {
		t.Errorf("snapshots.list: %v", snapshots)
	}
	me.ok("snapshots.destroy", "app", "v1")
	me.refused(404, "not_found", "snapshots.activate", "app", "v1")
	me.refused(409, "conflict", "snapshots.destroy", "app", "v2")
	if fetched := me.call("snapshots.fetch", "app", "v2"); fetched.Error != nil {
		t.Errorf("snapshots.fetch: %v", fetched.Error)
	}
	me.ok("apps.stop", "app")
	if status, _ := get(t, p, "sub"); status != http.StatusServiceUnavailable {
		t.Errorf("the stopped app answers %d", status)
	}
	me.ok("apps.destroy", "app")
	me.refused(404, "not_found", "apps.view", "app")
	me.refused(404, "not_found", "snapshots.list", "app")
}

func active(answer map[string]any) any {
	app, _ := answer["app"].(map[string]any)
	snapshot, _ := app["active"].(map[string]any)
	return snapshot["id"]
}

// The library reads the address of the datacenter, and sends each write there.
func TestClouds(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	me := user(t, p, "me")
	me.ok("apps.create", map[string]string{"name": "app"})
	if uploaded := me.call("snapshots.create", "app", "v1", hello(t, "one")); uploaded.Error != nil {
		t.Fatal(uploaded.Error)
	}
	me.ok("apps.start", "app")
	want := map[string]any{"webhooks": map[string]any{"local": p.URL()}}
	if got := me.ok("apps.endpoints"); !reflect.DeepEqual(got, want) {
		t.Errorf("apps.endpoints: %v", got)
	}
	var cloud []map[string]any
	me.list(&cloud, "apps.setDrones", "app", 2)
	if len(cloud) != 1 || cloud[0]["drones"] != 2.0 || cloud[0]["provider"] != "webhooks" || cloud[0]["datacenter"] != "local" {
		t.Errorf("apps.setDrones: %v", cloud)
	}
	if view := me.ok("apps.view", "app"); view["drones"] != 2.0 || view["maxDrones"] != 2.0 {
		t.Errorf("%v of %v drones", view["drones"], view["maxDrones"])
	}
	me.list(&cloud, "apps.datacenter", "app", map[string]any{"provider": "webhooks", "datacenter": "local", "drones": 1, "ram": 512})
	if len(cloud) != 1 || cloud[0]["drones"] != 1.0 || cloud[0]["ram"] != 512.0 {
		t.Errorf("apps.datacenter: %v", cloud)
	}
	me.refused(400, "invalid", "apps.setDrones", "app", 1000)
	if got := me.ok("apps.restart", "app"); active(got) != "v1" {
		t.Errorf("apps.restart: %v", got)
	}
	if _, body := get(t, p, "app"); body != "one" {
		t.Errorf("after it the app answers %q", body)
	}
	// The first call of a new client.
	me.end()
	me = connect(t, p, "me", "password")
	me.ok("apps.stop", "app")
	if unknown := me.call("apps.datacenter", "app", map[string]any{"provider": "joyent", "datacenter": "us-east-1", "drones": 1}); unknown.Error == nil {
		t.Errorf("apps.datacenter to nowhere: %s", unknown.Result)
	}
}

// gate is a stand-in for npm's registry without packages, which answers only after
// it is opened.
func gate(t *testing.T) (url string, open func()) {
	t.Helper()
	opened := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-opened:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	var once sync.Once
	open = func() { once.Do(func() { close(opened) }) }
	t.Cleanup(server.Close)
	t.Cleanup(open)
	return server.URL, open
}

// A build's output comes while it builds, and its failure at the end.
func TestBuildsThatFail(t *testing.T) {
	t.Parallel()
	registry, open := gate(t)
	p := serve(t, platform.Options{NpmRegistry: registry})
	me := user(t, p, "me")
	me.ok("apps.create", map[string]string{"name": "app"})
	seen := ""
	me.chunk = func(text string) {
		if seen += text; strings.Contains(seen, "Installing the dependencies") {
			open() // not earlier: npm waits for it
		}
	}
	failed := me.call("snapshots.create", "app", "v1", pack(t, map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","dependencies":{"no-such-package":"1.0.0"},"scripts":{"start":"node server.js"}}`,
	}))
	if failed.Error != nil || failed.Status != 200 {
		t.Fatalf("snapshots.create: %+v", failed)
	}
	if reason := failed.Trailers["x-build-failure"]; !strings.Contains(reason, "npm install failed") || failed.Trailers["x-build-retry"] != "" {
		t.Errorf("the trailers are %v", failed.Trailers)
	}
	if !strings.Contains(failed.output, "404") {
		t.Errorf("npm's words are missing in %q", failed.output)
	}
	var snapshots []any
	if me.list(&snapshots, "snapshots.list", "app"); len(snapshots) != 0 {
		t.Errorf("snapshots.list: %v", snapshots)
	}

	text := filepath.Join(t.TempDir(), "snapshot.tgz")
	if err := os.WriteFile(text, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	if bad := me.call("snapshots.create", "app", "v2", text); bad.Error != nil || bad.Trailers["x-build-failure"] == "" {
		t.Errorf("a body that is not an archive: %+v", bad)
	}
	me.refused(404, "not_found", "snapshots.create", "none", "v1", text)
	me.refused(400, "invalid", "snapshots.create", "app", "V1", text)
}

// The library sends a whole snapshot before it reads why it is refused.
func TestLargeSnapshots(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	me := user(t, p, "me")
	me.ok("apps.create", map[string]string{"name": "app"})
	if uploaded := me.call("snapshots.create", "app", "v1", hello(t, "one")); uploaded.Error != nil {
		t.Fatal(uploaded.Error)
	}
	large := filepath.Join(t.TempDir(), "snapshot.tgz")
	if err := os.WriteFile(large, make([]byte, 16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		me.refused(404, "not_found", "snapshots.create", "none", "v1", large)
		if again := me.call("snapshots.create", "app", "v1", large); again.Error != nil || !strings.Contains(again.output, "built already") {
			t.Errorf("what is there already: %+v %+v", again, again.Error)
		}
	}
}

// invite returns a code by which a user sets a password.
func invite(t *testing.T, p *platform.Platform, name string) string {
	t.Helper()
	operator := nodejitsu.New(nodejitsu.Options{Endpoint: p.URL, Username: core.ServiceUser, Password: p.Key})
	defer operator.Close()
	code, err := operator.InviteUser(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return code.Reveal()
}

func TestUsers(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	me := user(t, p, "me")
	you := user(t, p, "you")
	operator := connect(t, p, core.ServiceUser, p.Key().Reveal())
	if got := me.ok("users.available", "me"); got["available"] != false {
		t.Errorf("users.available of me: %v", got)
	}
	if got := me.ok("users.available", "new"); got["available"] != true {
		t.Errorf("users.available of a new one: %v", got)
	}
	if got := me.ok("users.emailTaken", "me@example.org"); got["taken"] != true {
		t.Errorf("users.emailTaken: %v", got)
	}
	if got := me.ok("users.view", "me"); got["username"] != "me" || got["email"] != "me@example.org" {
		t.Errorf("users.view: %v", got)
	}
	me.refused(403, "forbidden", "users.create", map[string]string{"username": "new", "password": "p"})
	me.refused(403, "forbidden", "users.view", "you")
	me.refused(403, "forbidden", "apps.list", "you")
	operator.refused(409, "conflict", "users.create", map[string]string{"username": "me", "password": "p"})
	// A user without a password gets a code from the operator, who is notified.
	me.refused(403, "wrong_code", "users.confirm", map[string]string{"username": "me", "inviteCode": "1"})
	locked := connect(t, p, "me", "forgotten")
	if got := locked.ok("users.forgot", "me"); got["ok"] != true || !strings.Contains(fmt.Sprint(got["message"]), "operator") {
		t.Errorf("users.forgot: %v", got)
	}
	code := invite(t, p, "me")
	confirmed := locked.ok("users.confirm", map[string]string{"username": "me", "inviteCode": code})
	if confirmed["ok"] != true || confirmed["hasPassword"] != false || confirmed["shake"] == nil {
		t.Errorf("users.confirm: %v", confirmed)
	}
	set := map[string]any{"shake": confirmed["shake"], "new-password": "remembered"}
	locked.ok("users.forgot", "me", set)
	locked.refused(403, "wrong_code", "users.forgot", "me", set)
	me.refused(401, "unauthorized", "users.auth")
	me = connect(t, p, "me", "remembered")
	me.ok("users.auth")
	connect(t, p, "me", "wrong").refused(401, "unauthorized", "users.auth")
	me.ok("users.update", "me", map[string]string{"password": "another"})
	me.refused(401, "unauthorized", "users.auth")
	me = connect(t, p, "me", "another")
	me.ok("users.auth")
	me.ok("users.destroy", "me")
	me.refused(401, "unauthorized", "users.auth")
	you.ok("users.auth")
}

// The library does not handle 501, and returns the answer as a result.
func TestWhatIsMissing(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	me := user(t, p, "me")
	for call, args := range map[string][]any{
		"keys.list": nil, "keys.list ": {"me"},
		"keys.view": {"mine"}, "keys.view ": {"me/mine"},
		"keys.create": {"mine", map[string]string{"key": "ssh-rsa AAAA"}}, "keys.create ": {"mine"}, "keys.create  ": {"me/mine"},
		"keys.destroy": {"mine"}, "keys.destroy ": {"me/mine"},
	} {
		if got := me.ok(strings.TrimSpace(call), args...); got["error"] != "not_implemented" || !strings.Contains(fmt.Sprint(got["message"]), "no ssh keys") {
			t.Errorf("%s %v: %v", call, args, got)
		}
	}
	if got := me.ok("databases.destroy", "one"); got["error"] != "not_implemented" || !strings.Contains(fmt.Sprint(got["message"]), "no databases") {
		t.Errorf("databases.destroy: %v", got)
	}
	// Of these it returns a part of the answer only.
	var list []any
	if me.list(&list, "databases.list"); len(list) > 0 {
		t.Errorf("databases.list: %v", list)
	}
	for _, got := range []map[string]any{me.ok("databases.create", "redis", "one"), me.ok("databases.get", "one")} {
		if got["name"] != "one" || got["type"] != "not_implemented" {
			t.Errorf("a database that does not exist: %v", got)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	me := user(t, p, "me")
	created := me.ok("tokens.create", "ci")
	token, _ := created["ci"].(string)
	if created["operation"] != "insert" || len(token) < 32 {
		t.Fatalf("tokens.create: %v", created)
	}
	unnamed := me.ok("tokens.create")
	if len(unnamed) != 2 || unnamed["operation"] != "insert" {
		t.Errorf("tokens.create without a name: %v", unnamed)
	}
	list, _ := me.ok("tokens.list")["apiTokens"].(map[string]any)
	if len(list) != 2 || list["ci"] == nil || list["ci"] == token {
		t.Errorf("tokens.list: %v", list)
	}
	byToken := connect(t, p, "me", token)
	byToken.ok("users.auth")
	byToken.ok("apps.create", map[string]string{"name": "app"})
	byToken.refused(403, "forbidden", "tokens.list")
	byToken.refused(403, "forbidden", "tokens.create", "more")
	byToken.refused(403, "forbidden", "tokens.destroy", "ci")
	byToken.refused(403, "forbidden", "users.update", "me", map[string]string{"password": "p"})
	if got := me.ok("tokens.destroy", "ci"); got["ok"] != true || got["id"] != "ci" {
		t.Errorf("tokens.destroy: %v", got)
	}
	byToken.refused(401, "unauthorized", "users.auth")
	me.refused(404, "not_found", "tokens.destroy", "ci")
}

func TestLogs(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	me := user(t, p, "me")
	me.ok("apps.create", map[string]string{"name": "app"})
	if uploaded := me.call("snapshots.create", "app", "v1", hello(t, "one")); uploaded.Error != nil {
		t.Fatal(uploaded.Error)
	}
	before := time.Now().Add(-time.Second)
	me.ok("apps.start", "app")
	me.ok("apps.stop", "app") // then all of its output is read
	var lines []struct {
		Time                 float64
		Service, Description string
	}
	for _, amount := range []any{10, nil} {
		if me.list(&lines, "logs.byApp", "app", amount); len(lines) == 0 {
			t.Fatalf("logs.byApp %v: none", amount)
		}
		up := -1
		for i, line := range lines { // others say what the platform did
			if line.Description == "up: one" && line.Service == "logs/stdout" {
				up = i
			}
		}
		if up < 0 {
			t.Fatalf("logs.byApp %v: %+v", amount, lines)
		}
		first := lines[up]
		if at := time.UnixMilli(int64(first.Time * 1000)); at.Before(before) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("got the time %v, want about now", at)
		}
	}
}

// A log is followed by a WebSocket.
func TestLiveLogs(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	me := user(t, p, "me")
	me.ok("apps.create", map[string]string{"name": "app"})
	ticks := pack(t, map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","scripts":{"start":"server.js"}}`,
		"server.js": `console.log('up');
			require('http').createServer((req, res) => res.end()).listen(process.env.PORT);
			setInterval(() => console.error('tick'), 100);`,
	})
	if uploaded := me.call("snapshots.create", "app", "v1", ticks); uploaded.Error != nil {
		t.Fatal(uploaded.Error)
	}
	me.ok("apps.start", "app")
	if line := me.ok("logs.live", "app"); line["description"] != "tick" || line["service"] != "logs/stderr" || line["app"] != "app" {
		t.Errorf("the log goes on with %v", line)
	}
	for _, refused := range []answer{me.call("logs.live", "none"), user(t, p, "you").call("logs.live", "me/app")} {
		if refused.Error == nil || !strings.Contains(refused.Error.Message, "unexpected server response") {
			t.Errorf("what is not to be followed: %+v %s", refused.Error, refused.Result)
		}
	}
}

// The library refuses every answer without that header.
func TestPoweredBy(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	for path, want := range map[string]int{"/": 404, "/auth": 401, "/apps": 404, "/apps/me": 401, "/apps//me": 404} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var said struct{ Error, Message string }
		if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || said.Error == "" || said.Message == "" {
			t.Errorf("%s: %+v, %v", path, said, err)
		}
		if by := resp.Header.Get("X-Powered-By"); resp.StatusCode != want || !strings.Contains(by, "Nodejitsu") {
			t.Errorf("%s: %d by %q", path, resp.StatusCode, by)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}
