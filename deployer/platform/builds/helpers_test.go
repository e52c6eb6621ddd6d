package builds_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/depcache"
)

// entry is an entry of an archive.
type entry struct {
	name string
	text string
	kind byte // 0: a file, or a folder if the name ends with /
	link string
	mode int64
	pax  map[string]string
}

// pack returns a gzipped tar.
func pack(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zip)
	for _, e := range entries {
		header := &tar.Header{
			Name: e.name, Typeflag: e.kind, Linkname: e.link, Size: int64(len(e.text)), Mode: e.mode, PAXRecords: e.pax,
			Uid: 12345, Gid: 12345, // not a user of this machine
		}
		switch {
		case e.kind != 0:
		case strings.HasSuffix(e.name, "/"):
			header.Typeflag = tar.TypeDir
		default:
			header.Typeflag = tar.TypeReg
		}
		if header.Typeflag == tar.TypeXGlobalHeader {
			header = &tar.Header{Typeflag: header.Typeflag, PAXRecords: header.PAXRecords}
		} else if header.Mode == 0 {
			header.Mode = 0o644
		}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, e.text); err != nil {
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

// app returns an archive with the given package.json and files, which are pairs of
// name and text.
func app(t testing.TB, pkg string, files ...string) []byte {
	t.Helper()
	entries := []entry{{name: "package/package.json", text: pkg}}
	for i := 0; i < len(files); i += 2 {
		entries = append(entries, entry{name: "package/" + files[i], text: files[i+1]})
	}
	return pack(t, entries...)
}

// fixture is a Builder under test.
type fixture struct {
	*builds.Builder
	t     testing.TB
	dir   string // to be built in; does not exist
	cache string
	home  string              // the cache's, if not set
	deps  depcache.Cache      // none, if not set
	root  string              // of the app
	env   map[string]string   // of the app
	as    *syscall.Credential // if the tests are root
	out   bytes.Buffer
}

func setup(t testing.TB, o builds.Options) *fixture {
	t.Helper()
	top := t.TempDir()
	if err := os.Chmod(filepath.Dir(top), 0o755); err != nil { //nolint:gosec // the app's user needs to search it
		t.Fatal(err)
	}
	if o.Cache == "" {
		o.Cache = filepath.Join(top, "cache")
	}
	b := &fixture{t: t, dir: filepath.Join(top, "app"), cache: o.Cache, Builder: builds.New(o)}
	if os.Getuid() == 0 {
		// A different uid for each test process on this machine.
		uid := 51_000 + uint32(os.Getpid()%9000) //nolint:gosec // a uid
		b.as = &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}
	}
	return b
}

func (b *fixture) build(tgz []byte) (builds.Result, error) {
	b.t.Helper()
	return b.Build(b.t.Context(), builds.Snapshot{Tgz: bytes.NewReader(tgz), Dir: b.dir, Root: b.root, Env: b.env, Credential: b.as, Home: b.home, Dependencies: b.deps}, &b.out)
}

func (b *fixture) mustBuild(tgz []byte) builds.Result {
	b.t.Helper()
	result, err := b.build(tgz)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.out.String())
	}
	return result
}

// failure builds an app that must fail because of the app, and returns the reason.
func (b *fixture) failure(tgz []byte) string {
	b.t.Helper()
	_, err := b.build(tgz)
	reason, ok := blamed(err)
	if !ok {
		b.t.Fatalf("error %v, want the app's failure; output:\n%s", err, b.out.String())
	}
	if _, err := os.Lstat(b.dir); !os.IsNotExist(err) {
		b.t.Errorf("the failed build left its folder: %v", err)
	}
	return reason
}

// blamed returns the reason of a failure that the app's author can fix.
func blamed(err error) (reason string, ok bool) {
	e, ok := errors.AsType[*core.Error](err)
	if _, again := core.Retryable(err); !ok || again || e.Code != core.CodePlatformBuildFailed {
		return "", false
	}
	return e.Reason, true
}

func (b *fixture) read(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name)) //nolint:gosec // written by the test
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func mention(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

// registry is an npm registry: packages by name and version.
type registry struct {
	url         string
	mu          sync.Mutex
	tarballs    map[string][]byte                     // by path
	packages    map[string]map[string]json.RawMessage // name to version to manifest
	seen        []string                              // requested paths
	credentials string                                // of the last request
}

func newRegistry(t testing.TB) *registry {
	t.Helper()
	r := &registry{tarballs: map[string][]byte{}, packages: map[string]map[string]json.RawMessage{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// publish adds a package; it returns the integrity of its tarball.
func (r *registry) publish(t testing.TB, name, version string, entries ...entry) string {
	t.Helper()
	return r.publishManifest(t, name, version, map[string]any{}, entries...)
}

// publishManifest adds a package that has more in its package.json.
func (r *registry) publishManifest(t testing.TB, name, version string, manifest map[string]any, entries ...entry) string {
	t.Helper()
	manifest["name"], manifest["version"] = name, version
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	tgz := pack(t, append([]entry{{name: "package/package.json", text: string(text)}}, entries...)...)
	sum := sha512.Sum512(tgz)
	integrity := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	path := "/" + name + "/-/" + name + "-" + version + ".tgz"
	manifest["dist"] = map[string]string{"tarball": r.url + path, "integrity": integrity}
	if text, err = json.Marshal(manifest); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tarballs[path] = tgz
	if r.packages[name] == nil {
		r.packages[name] = map[string]json.RawMessage{}
	}
	r.packages[name][version] = text
	return integrity
}

// sent returns the credentials of the last request.
func (r *registry) sent() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.credentials
}

// asked returns how often a path was requested.
func (r *registry) asked(path string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, p := range r.seen {
		if p == path {
			n++
		}
	}
	return n
}

// ServeHTTP serves packages to npm.
func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, req.URL.Path)
	r.credentials = req.Header.Get("Authorization")
	if tgz, ok := r.tarballs[req.URL.Path]; ok {
		_, _ = w.Write(tgz)
		return
	}
	name := strings.TrimPrefix(req.URL.Path, "/")
	versions, ok := r.packages[name]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"Not found"}`)
		return
	}
	latest := ""
	for version := range versions {
		latest = max(latest, version)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"name": name, "dist-tags": map[string]string{"latest": latest}, "versions": versions,
	})
}

// await waits until done returns true, for a minute at most.
func await(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("timeout")
		}
	}
}
