package platform_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform"
)

// patience is how long a test waits for an event. Only a hang takes so long, even
// on a busy machine.
const patience = 10 * time.Minute

// fixture is a platform under test.
type fixture struct {
	*platform.Platform
	t       *testing.T
	o       platform.Options
	service *nodejitsu.Client // the service user
}

// prepare returns a fixture that is not started.
func prepare(t *testing.T, o platform.Options) *fixture {
	t.Helper()
	if o.Dir == "" {
		dir := t.TempDir()
		// If the tests run as root, each app has a user, who must reach the folder.
		for _, d := range []string{filepath.Dir(dir), dir} {
			if err := os.Chmod(d, 0o711); err != nil {
				t.Fatal(err)
			}
		}
		o.Dir = filepath.Join(dir, "data")
	}
	o.ReadyTimeout = cmp.Or(o.ReadyTimeout, patience)
	o.Keeper = []string{"/proc/self/exe", keeperCommand}
	b := &fixture{t: t, o: o, Platform: platform.New(o)}
	b.service = b.client(core.ServiceUser, func() core.Secret { return b.Key() })
	return b
}

// setup returns a started fixture, and stops it at the end of the test.
func setup(t *testing.T, o platform.Options) *fixture {
	t.Helper()
	b := prepare(t, o)
	b.start()
	return b
}

func (b *fixture) start() {
	b.t.Helper()
	if err := b.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { b.stop() })
}

// stop stops the platform, with a short deadline.
func (b *fixture) stop() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	if err := b.Stop(ctx); err != nil {
		b.t.Error(err)
	}
}

// again returns a fixture on the same folder, as in another process.
func (b *fixture) again() *fixture {
	b.t.Helper()
	return setup(b.t, b.o)
}

func (b *fixture) client(username string, password func() core.Secret) *nodejitsu.Client {
	client := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return b.URL() }, Username: username, Password: password,
	})
	b.t.Cleanup(client.Close)
	return client
}

// as returns a client with a user's credentials.
func (b *fixture) as(username string, password core.Secret) *nodejitsu.Client {
	return b.client(username, func() core.Secret { return password })
}

// user creates a user with the password "password".
func (b *fixture) user(name string) *nodejitsu.Client {
	b.t.Helper()
	b.ok(b.service.CreateUser(b.t.Context(), nodejitsu.User{Username: name, Password: core.NewSecret("password")}))
	return b.as(name, core.NewSecret("password"))
}

func (b *fixture) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// app creates a user's app from the fields of a package.json.
func (b *fixture) app(c *nodejitsu.Client, user, app string, fields map[string]any) {
	b.t.Helper()
	b.ok(c.CreateApp(b.t.Context(), user, app, fields))
}

// upload uploads a snapshot and returns what its build printed.
func (b *fixture) upload(c *nodejitsu.Client, user, app, id string, tgz []byte) string {
	b.t.Helper()
	var out bytes.Buffer
	if err := c.UploadSnapshot(b.t.Context(), user, app, id, "", bytes.NewReader(tgz), &out); err != nil {
		b.t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String()
}

// run activates a snapshot and starts it.
func (b *fixture) run(c *nodejitsu.Client, user, app, id string) nodejitsu.App {
	b.t.Helper()
	b.ok(c.ActivateSnapshot(b.t.Context(), user, app, id))
	started, err := c.StartApp(b.t.Context(), user, app)
	b.ok(err)
	return started
}

// hello is an app without dependencies that answers with a text, which also
// has the environment's variable GREETING.
func hello(t *testing.T, text string) []byte {
	t.Helper()
	return pack(t, map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","scripts":{"start":"node server.js"}}`,
		"server.js": `
			console.log('up: ` + text + `');
			require('http').createServer((req, res) => {
				if (req.url === '/stream') { res.write('begin\n'); return; }
				res.end('` + text + `' + (process.env.GREETING || ''));
			}).listen(process.env.PORT);`,
	})
}

// pack returns a tgz with the top folder package/.
func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: "package/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(files[name]))}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// open requests a path of the app of a host, SUBDOMAIN or SUBDOMAIN.DOMAIN.
func (b *fixture) open(host, path string) *http.Response {
	b.t.Helper()
	if !strings.Contains(host, ".") {
		host += ".localhost"
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.RouterAddr()+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Host = host
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp
}

func (b *fixture) get(host string) (status int, body string) {
	b.t.Helper()
	resp := b.open(host, "/")
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// answers checks the response of the app of a host.
func (b *fixture) answers(host, want string) {
	b.t.Helper()
	if status, body := b.get(host); status != http.StatusOK || body != want {
		b.t.Fatalf("%s answers %d %q, want %q", host, status, body, want)
	}
}

// event returns the next event of an app, which is removed.
func (b *fixture) event() nodejitsu.Event {
	b.t.Helper()
	found, err := b.service.Events(b.t.Context(), time.Minute)
	b.ok(err)
	if len(found) == 0 {
		b.t.Fatal("there is no event for a minute")
	}
	b.ok(b.service.RemoveEvents(b.t.Context(), found[0].Seq))
	return found[0]
}

// eventually waits until check returns true.
func (b *fixture) eventually(what string, check func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !check() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.t.Fatalf("never: %s", what)
		}
	}
}

// log returns the texts of an app's log, the oldest first.
func (b *fixture) log(c *nodejitsu.Client, user, app string) []string {
	b.t.Helper()
	lines, err := c.Logs(b.t.Context(), user, app, 1000)
	b.ok(err)
	var texts []string
	for _, l := range slices.Backward(lines) {
		if l.Drone > 0 { // else it is a line of the platform
			texts = append(texts, l.Text)
		}
	}
	return texts
}

// registry fakes the npm registry, with one package, `dep`. Each request is sent to
// asked, and waits for open.
type registry struct {
	url   string
	asked chan string // paths
	open  chan struct{}
	once  sync.Once
	tgz   []byte
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{asked: make(chan string, 100), open: make(chan struct{})}
	r.tgz = pack(t, map[string]string{
		"package.json": `{"name":"dep","version":"1.0.0"}`, "index.js": `module.exports = 'from dep'`,
	})
	server := httptest.NewServer(r)
	r.url = server.URL
	t.Cleanup(server.Close)
	t.Cleanup(r.release)
	return r
}

func (r *registry) release() { r.once.Do(func() { close(r.open) }) }

// ServeHTTP serves npm.
func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.asked <- req.URL.Path
	select {
	case <-r.open:
	case <-req.Context().Done():
		return
	}
	switch req.URL.Path {
	case "/dep":
		version := map[string]any{"name": "dep", "version": "1.0.0", "dist": map[string]string{"tarball": r.url + "/dep.tgz"}}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"name": "dep", "dist-tags": map[string]string{"latest": "1.0.0"}, "versions": map[string]any{"1.0.0": version},
		})
	case "/dep.tgz":
		_, _ = w.Write(r.tgz)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// await waits until npm requests path.
func (r *registry) await(t *testing.T, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		select {
		case asked := <-r.asked:
			if asked == path {
				return
			}
		case <-ctx.Done():
			t.Fatalf("npm did not request %s", path)
		}
	}
}

// dependent is an app that depends on dep.
func dependent(t *testing.T) []byte {
	t.Helper()
	return pack(t, map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","scripts":{"start":"node server.js"},"dependencies":{"dep":"1.0.0"}}`,
		"server.js":    `require('http').createServer((req, res) => res.end(require('dep'))).listen(process.env.PORT);`,
	})
}
