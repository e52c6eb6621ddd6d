package platform_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{})
	me := b.user("me")
	for _, app := range []string{"runs", "stopped"} {
		b.app(me, "me", app, map[string]any{"env": map[string]string{"GREETING": ", hi"}})
		b.upload(me, "me", app, "v1", hello(t, app))
		b.run(me, "me", app, "v1")
	}
	b.ok(me.StopApp(t.Context(), "me", "stopped"))
	key := b.Key()
	info, err := os.Stat(filepath.Join(b.o.Dir, "platform.key"))
	b.ok(err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v", info.Mode())
	}
	b.stop()
	if b.URL() != "" || b.RouterAddr() != "" {
		t.Errorf("addresses of a stopped platform: %q, %q", b.URL(), b.RouterAddr())
	}

	b = b.again()
	if !b.Key().Equal(key) {
		t.Error("the key changed with a restart")
	}
	b.eventually("the app runs again", func() bool { status, _ := b.get("runs"); return status == http.StatusOK })
	b.answers("runs", "runs, hi")
	if status, _ := b.get("stopped"); status != http.StatusServiceUnavailable {
		t.Errorf("the app that was stopped answers %d", status)
	}
	me = b.as("me", core.NewSecret("password"))
	if log := b.log(me, "me", "runs"); len(log) == 0 || log[0] != "up: runs" {
		t.Errorf("the log from before the restart is lost: %q", log)
	}
	b.upload(me, "me", "stopped", "v2", hello(t, "another"))
	b.run(me, "me", "stopped", "v1") // without a build
	b.answers("stopped", "stopped, hi")

	// Files of a snapshot that was being received or built are removed.
	b.stop()
	left := []string{
		filepath.Join(b.o.Dir, "builds", "me", "runs", "half"), filepath.Join(b.o.Dir, "archives", "me", "runs", "half.tgz"),
		filepath.Join(b.o.Dir, "archives", ".incoming", "1"),
	}
	for _, path := range left {
		b.ok(os.MkdirAll(path, 0o700))
	}
	b = b.again()
	for _, path := range left {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
	b.eventually("the app runs again", func() bool { status, _ := b.get("runs"); return status == http.StatusOK })
}

func TestKey(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{Key: core.NewSecret("shared by several machines")})
	if b.Key().Reveal() != "shared by several machines" {
		t.Error("the key is not that of the options")
	}
	if _, err := b.service.Users(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(b.o.Dir, "platform.key")); !os.IsNotExist(err) {
		t.Errorf("the key of the options is written to the file: %v", err)
	}
	b.stop()
	b.o.Key = core.Secret{}
	b.ok(os.WriteFile(filepath.Join(b.o.Dir, "platform.key"), []byte("\n"), 0o600))
	b = b.again() // an empty key file, left by a full disk, is replaced
	if len(b.Key().Reveal()) < 32 {
		t.Error("the created key is short")
	}
	if _, err := b.as(core.ServiceUser, core.Secret{}).Users(t.Context()); err == nil {
		t.Error("an empty key is accepted")
	}
}

func TestTwoPlatforms(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{})
	other := prepare(t, b.o)
	err := other.Start(t.Context())
	path := filepath.Join(b.o.Dir, "platform.db")
	if want := "platform: another server uses " + path + "; stop it, or use another data folder"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := b.service.Users(t.Context()); err != nil {
		t.Errorf("the first platform fails: %v", err)
	}
	b.stop()
	other.start() // the folder is free now
	other.user("me")
}

func TestTakenPorts(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	taken, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // no client connects
	b := setup(t, platform.Options{})
	me := b.user("me")
	b.app(me, "me", "app", nil)
	b.upload(me, "me", "app", "v1", hello(t, "app"))
	b.run(me, "me", "app", "v1")
	b.stop()
	for setting, change := range map[string]func(*platform.Options){
		"platform-listen": func(o *platform.Options) { o.Listen = taken.Addr().String() },
		"apps-listen":     func(o *platform.Options) { o.AppsListen = taken.Addr().String() },
	} {
		o := b.o
		change(&o)
		other := prepare(t, o)
		err := other.Start(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "platform: "+setting+": ") || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("%s: %v", setting, err)
		}
		if other.URL() != "" || other.RouterAddr() != "" {
			t.Errorf("%s: it is at %q, %q", setting, other.URL(), other.RouterAddr())
		}
		other.stop()
	}
	b = b.again()
	b.eventually("the app runs again", func() bool { status, _ := b.get("app"); return status == http.StatusOK })
	me = b.as("me", core.NewSecret("password"))
	b.ok(me.StopApp(t.Context(), "me", "app")) // then all its output has been read
	if up := strings.Count(strings.Join(b.log(me, "me", "app"), "\n"), "up: app"); up != 2 {
		t.Errorf("the app was started %d times, want 2: at first and when the ports were free", up)
	}
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	b := prepare(t, platform.Options{})
	b.stop() // without a start
	if b.URL() != "" || !b.Key().IsZero() {
		t.Errorf("URL before the start: %q", b.URL())
	}
	b.start()
	if err := b.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "already started") {
		t.Errorf("a second start: %v", err)
	}
	b.user("me") // the first platform still works
	b.stop()
	b.stop()
	b.start()
	if _, err := b.as("me", core.NewSecret("password")).Apps(t.Context(), "me"); err != nil {
		t.Errorf("after another start: %v", err)
	}
	bad := prepare(t, platform.Options{Dir: filepath.Join(b.o.Dir, "platform.db", "below")})
	if err := bad.Start(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "platform: creating the folder: ") {
		t.Errorf("below a file: %v", err)
	}
}

// A platform that listens on all addresses reports a reachable one.
func TestUnspecifiedAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{Listen: "0.0.0.0:0", AppsListen: ":0", AppsDomain: "apps.example.org"})
	if !strings.HasPrefix(b.URL(), "http://localhost:") || !strings.HasPrefix(b.RouterAddr(), "localhost:") {
		t.Fatalf("it is at %q, %q", b.URL(), b.RouterAddr())
	}
	me := b.user("me")
	b.app(me, "me", "app", nil)
	b.upload(me, "me", "app", "v1", hello(t, "app"))
	if app := b.run(me, "me", "app", "v1"); app.URL != "http://app.apps.example.org"+port(b.RouterAddr()) {
		t.Errorf("the app's URL is %q", app.URL)
	}
	b.answers("app.apps.example.org", "app")
}

func TestStopEndsABuild(t *testing.T) {
	t.Parallel()
	npm := newRegistry(t)
	b := setup(t, platform.Options{NpmRegistry: npm.url})
	me := b.user("me")
	b.app(me, "me", "app", nil)
	uploaded := make(chan error, 1)
	go func() {
		uploaded <- me.UploadSnapshot(t.Context(), "me", "app", "v1", "", bytes.NewReader(dependent(t)), io.Discard)
	}()
	npm.await(t, "/dep") // which gets no response
	b.stop()
	// The build has ended. Only npm's home with its cache is left.
	for _, dir := range []string{"builds/me/app", "archives/.incoming", "cache/tmp"} {
		left, err := os.ReadDir(filepath.Join(b.o.Dir, dir))
		left = slices.DeleteFunc(left, func(entry os.DirEntry) bool { return entry.Name() == ".home" })
		if err != nil || len(left) != 0 {
			t.Errorf("in %s there is left: %v, %v", dir, left, err)
		}
	}
	err := <-uploaded
	if _, again := core.Retryable(err); !again {
		t.Errorf("the upload says %v, want a temporary error", err)
	}
	npm.release()
	b = b.again()
	me = b.as("me", core.NewSecret("password"))
	b.upload(me, "me", "app", "v1", dependent(t))
	b.run(me, "me", "app", "v1")
	b.answers("app", "from dep")
}

// An app that streams does not delay Stop beyond its deadline, and no drone is
// left.
func TestStopEndsStreams(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{})
	me := b.user("me")
	b.app(me, "me", "app", nil)
	b.upload(me, "me", "app", "v1", hello(t, "app"))
	b.run(me, "me", "app", "v1")
	resp := b.open("app", "/stream")
	defer resp.Body.Close() //nolint:errcheck // only read
	begin := make([]byte, len("begin\n"))
	if _, err := io.ReadFull(resp.Body, begin); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	b.ok(b.Stop(ctx))
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the truncated stream looks complete")
	}
	b = b.again()
	b.eventually("the app runs again", func() bool { status, _ := b.get("app"); return status == http.StatusOK })
}

// Nor does a WebSocket whose client does not close it when the app does.
func TestStopEndsWebSockets(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{})
	me := b.user("me")
	b.app(me, "me", "app", nil)
	b.upload(me, "me", "app", "v1", pack(t, map[string]string{
		"package.json": `{"name":"app","scripts":{"start":"node server.js"}}`,
		"server.js": `
			const server = require('http').createServer();
			server.on('upgrade', (req, socket) => {
				socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nbye');
			});
			server.listen(process.env.PORT);`,
	}))
	b.run(me, "me", "app", "v1")
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", b.RouterAddr())
	b.ok(err)
	defer conn.Close() //nolint:errcheck // the test's own
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
	b.ok(err)
	said, err := io.ReadAll(conn) // until the app closes it
	if err != nil || !strings.HasSuffix(string(said), "\r\n\r\nbye") {
		t.Fatalf("the app says %q, %v", said, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	b.ok(b.Stop(ctx))
}

// Start fails if a file is damaged, and leaves nothing running.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{})
	b.stop()
	state := filepath.Join(b.o.Dir, "drones", "state.json")
	whole, err := os.ReadFile(state)
	b.ok(err)
	b.ok(os.WriteFile(state, []byte("{"), 0o600))
	other := prepare(t, b.o)
	if err := other.Start(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "platform: processes: ") {
		t.Errorf("with a damaged state: %v", err)
	}
	b.ok(os.WriteFile(state, whole, 0o600))
	other.start()
	b.ok(other.service.CreateUser(t.Context(), nodejitsu.User{Username: "me", Password: core.NewSecret("password")}))
}

// A platform that keeps its apps leaves them to the next one, which ends what a
// person stops.
func TestKeptApps(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{KeepApps: func() bool { return true }})
	me := b.user("me")
	for _, app := range []string{"one", "two"} {
		b.app(me, "me", app, nil)
		b.upload(me, "me", app, "v1", hello(t, app))
		b.run(me, "me", app, "v1")
	}
	b.stop()
	b.o.KeepApps = nil
	b = b.again()
	for _, app := range []string{"one", "two"} {
		if status, _ := b.get(app); status != http.StatusOK {
			t.Errorf("%s answers %d right after the start", app, status)
		}
	}
	me = b.as("me", core.NewSecret("password"))
	b.ok(me.StopApp(t.Context(), "me", "one"))
	b.stop()
	if left, err := os.ReadDir(filepath.Join(b.o.Dir, "drones", "keepers")); err != nil || len(left) > 0 {
		t.Errorf("keepers that are left: %v, %v", left, err)
	}
	b = b.again()
	b.eventually("the app runs again", func() bool { status, _ := b.get("two"); return status == http.StatusOK })
	if status, _ := b.get("one"); status != http.StatusServiceUnavailable {
		t.Errorf("the app that was stopped answers %d", status)
	}
	me = b.as("me", core.NewSecret("password"))
	for app, want := range map[string]int{"one": 1, "two": 2} {
		if up := strings.Count(strings.Join(b.log(me, "me", app), "\n"), "up: "+app); up != want {
			t.Errorf("%s was started %d times, want %d", app, up, want)
		}
	}
}
