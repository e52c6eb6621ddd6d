package apps

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// files are those of an app, by path.
type files map[string]string

// example returns the files of a folder in testdata, and more.
func example(t *testing.T, name string, more files) files {
	t.Helper()
	found := files{}
	dir := os.DirFS(filepath.Join("testdata", name))
	err := fs.WalkDir(dir, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(dir, path)
		found[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(found, more)
	return found
}

// script is an app of one file without dependencies.
func script(text string) files {
	return files{"package.json": `{"name":"app","version":"1.0.0","scripts":{"start":"server.js"}}`, "server.js": text}
}

// tgz packs the files below package/.
func (f files) tgz(t *testing.T) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		header := &tar.Header{Name: "package/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f[name]))}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, f[name]); err != nil {
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

// app is one on a platform.
type app struct {
	t    *testing.T
	s    *server
	name string // and subdomain
	last int    // snapshots that were uploaded
}

// answer is an HTTP answer, read whole.
type answer struct {
	status  int
	body    string
	trailer http.Header
}

// create makes an app, which is destroyed at the end.
func create(t *testing.T, s *server, name string) *app {
	t.Helper()
	a := &app{t: t, s: s, name: name}
	a.ok(a.call(t.Context(), http.MethodPost, "", strings.NewReader(fmt.Sprintf(`{"name":%q,"subdomain":%q}`, name, name))))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, a.call(ctx, http.MethodGet, "logs", nil).body)
		}
		a.ok(a.call(ctx, http.MethodDelete, "", nil))
		if left := a.processes(""); len(left) > 0 {
			t.Errorf("a destroyed app has processes: %v", left)
		}
	})
	return a
}

// call calls the platform's API for the app: a path below it, or its "logs".
func (a *app) call(ctx context.Context, method, path string, body io.Reader) answer {
	a.t.Helper()
	limit := patience
	if strings.HasPrefix(path, "snapshots/") {
		limit = 4 * patience // a build also waits for others
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	at := strings.TrimSuffix("/apps/"+user+"/"+a.name+"/"+path, "/")
	if path == "logs" {
		at = "/logs/" + user + "/" + a.name + "/200"
	}
	req, err := http.NewRequestWithContext(ctx, method, a.s.api+at, body)
	if err != nil {
		a.t.Fatal(err)
	}
	req.SetBasicAuth(user, a.s.token)
	if (method == http.MethodPost || method == http.MethodPut) && !strings.HasPrefix(path, "snapshots/") {
		req.Header.Set("Content-Type", "application/json")
	}
	got, err := read(http.DefaultClient.Do(req)) //nolint:bodyclose // read closes it
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, at, err)
	}
	return got
}

// read reads an answer to its end.
func read(resp *http.Response, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(text), resp.Trailer}, err
}

// ok fails the test unless a call succeeded.
func (a *app) ok(got answer) {
	a.t.Helper()
	if got.status/100 != 2 {
		a.t.Fatalf("the platform answers %d: %s", got.status, got.body)
	}
}

// upload builds the next snapshot. failure is the reason if the build failed.
func (a *app) upload(f files) (id, output, failure string) {
	a.t.Helper()
	a.last++
	id = fmt.Sprintf("1.0.0-%d", a.last)
	got := a.call(a.t.Context(), http.MethodPost, "snapshots/"+id, bytes.NewReader(f.tgz(a.t)))
	a.ok(got)
	return id, got.body, got.trailer.Get("X-Build-Failure")
}

// start activates a snapshot and starts it in place of the one that runs.
func (a *app) start(id string) answer {
	a.t.Helper()
	a.ok(a.call(a.t.Context(), http.MethodPost, "snapshots/"+id+"/activate", nil))
	return a.call(a.t.Context(), http.MethodPost, "start", nil)
}

// deploy builds and starts the next snapshot, which must succeed.
func (a *app) deploy(f files) (id string) {
	a.t.Helper()
	id, output, failure := a.upload(f)
	if failure != "" {
		a.t.Fatalf("the build failed: %s\n%s", failure, output)
	}
	if got := a.start(id); got.status != http.StatusOK {
		a.t.Fatalf("the start failed: %d %s\n%s", got.status, got.body, output)
	}
	return id
}

// stop stops the app.
func (a *app) stop() {
	a.t.Helper()
	a.ok(a.call(a.t.Context(), http.MethodPost, "stop", nil))
}

// running returns the state of the app and the snapshot that runs.
func (a *app) running() string {
	a.t.Helper()
	got := a.call(a.t.Context(), http.MethodGet, "", nil)
	a.ok(got)
	var answer struct {
		App struct {
			State   string
			Running struct{ Filename string }
		}
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil {
		a.t.Fatalf("%v in %s", err, got.body)
	}
	return answer.App.State + " " + strings.TrimSuffix(answer.App.Running.Filename, ".tgz")
}

// host returns the address of the app for a browser.
func (a *app) host() string {
	_, port, _ := net.SplitHostPort(a.s.apps)
	return net.JoinHostPort(a.name+".localhost", port)
}

// client returns a client that reaches the app without DNS.
func (a *app) client(keepAlive bool) *http.Client {
	router := a.s.apps
	transport := &http.Transport{
		DisableKeepAlives: !keepAlive,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, router)
		},
	}
	a.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// get requests a path of the app.
func (a *app) get(path string) answer {
	a.t.Helper()
	return a.send(http.MethodGet, path)
}

func (a *app) send(method, path string) answer {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+a.host()+path, http.NoBody)
	if err != nil {
		a.t.Fatal(err)
	}
	got, err := read(a.client(false).Do(req)) //nolint:bodyclose // read closes it
	if err != nil {
		a.t.Fatal(err)
	}
	return got
}

// answers checks that the app answers with a text.
func (a *app) answers(body string) {
	a.t.Helper()
	if got := a.get("/"); got.status != http.StatusOK || got.body != body {
		a.t.Errorf("%s answers %d %q, want %q", a.name, got.status, got.body, body)
	}
}

// until polls until there is what the test waits for.
func until(t *testing.T, what string, there func() bool) {
	t.Helper()
	limit, again := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for !there() {
		select {
		case <-again.C:
		case <-limit:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// env sets the app's environment, an object of JSON, for the next start.
func (a *app) env(object string) {
	a.t.Helper()
	a.ok(a.call(a.t.Context(), http.MethodPut, "", strings.NewReader(`{"env":`+object+`}`)))
}
