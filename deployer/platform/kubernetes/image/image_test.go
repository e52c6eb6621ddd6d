package image_test

import (
	"archive/tar"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes/image"
)

// bench is a registry with a base image, and the uploads that it got.
type bench struct {
	*image.Builder
	host string

	mu      sync.Mutex
	uploads int
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/") {
			b.mu.Lock()
			b.uploads++
			b.mu.Unlock()
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b.host = strings.TrimPrefix(server.URL, "http://")
	base, err := random.Layer(100, "application/vnd.docker.image.rootfs.diff.tar.gzip")
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, base)
	if err == nil {
		img, err = mutate.Config(img, v1.Config{Env: []string{"PATH=/opt/bin", "A=b"}, Entrypoint: []string{"docker-entrypoint.sh"}})
	}
	if err == nil {
		err = remote.Write(b.tag(t, "node:20-slim"), img)
	}
	if err == nil {
		b.Builder, err = image.New(image.Options{Registry: b.host + "/apps", Base: b.host + "/node:%s-slim", Temp: t.TempDir()})
	}
	if err != nil {
		t.Fatal(err)
	}
	b.uploads = 0
	return b
}

func (b *bench) tag(t *testing.T, text string) name.Tag {
	t.Helper()
	tag, err := name.NewTag(b.host + "/" + text)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

func (b *bench) uploaded() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.uploads
}

// folder makes the folder of an app.
func folder(t *testing.T, at time.Time) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{"server.js": "app", "web/node_modules/.bin/tool": "#!/bin/sh", "web/a.js": "a"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(os.Chmod(filepath.Join(dir, "web/node_modules/.bin/tool"), 0o700), os.Symlink("../server.js", filepath.Join(dir, "web/link")),
		os.Symlink("/etc/passwd", filepath.Join(dir, "web/out")), os.Symlink("../../../secret", filepath.Join(dir, "web/up")), os.Chtimes(dir, at, at))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func spec(dir, snapshot string) image.Spec {
	return image.Spec{
		User: "me", App: "app", Snapshot: snapshot, Dir: dir, Work: filepath.Join(dir, "web"), Node: "v20.11.1",
		Path: []string{filepath.Join(dir, "web/node_modules/.bin"), "/somewhere/else"},
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := folder(t, time.Unix(1e9, 0))
	ref, err := b.Push(t.Context(), spec(dir, "one"))
	if err != nil || !strings.HasPrefix(ref, b.host+"/apps/me/app@sha256:") {
		t.Fatalf("pushed %s, %v", ref, err)
	}
	digest, err := name.NewDigest(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.WorkingDir != "/app/web" || c.User != "1000:1000" || c.Entrypoint != nil || !slices.Contains(c.Env, "PATH=/app/web/node_modules/.bin:/opt/bin") || !slices.Contains(c.Env, "A=b") {
		t.Errorf("config %+v", c)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 2 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	var members []string
	text, err := layers[1].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(text); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != image.User || h.Gid != image.User || !h.ModTime.Equal(time.Unix(0, 0)) {
			t.Errorf("member %+v", h)
		}
		members = append(members, os.FileMode(h.Mode).String()+" "+h.Name+h.Linkname) //nolint:gosec // a mode
	}
	want := []string{
		"-rwxr-xr-x app/", "-rw-r--r-- app/server.js", "-rwxr-xr-x app/web/", "-rw-r--r-- app/web/a.js", "-rwxrwxrwx app/web/link../server.js",
		"-rwxr-xr-x app/web/node_modules/", "-rwxr-xr-x app/web/node_modules/.bin/", "-rwxr-xr-x app/web/node_modules/.bin/tool",
	}
	if !slices.Equal(members, want) {
		t.Errorf("members\n%s\nwant\n%s", strings.Join(members, "\n"), strings.Join(want, "\n"))
	}
}

// The image of a snapshot is made once, and the same files make the same layer, which
// is not uploaded again.
func TestPushOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := folder(t, time.Unix(1e9, 0))
	first, err := b.Push(t.Context(), spec(dir, "one"))
	if err != nil {
		t.Fatal(err)
	}
	before := b.uploaded()
	if again, err := b.Push(t.Context(), spec(dir, "one")); err != nil || again != first || b.uploaded() != before {
		t.Errorf("again %s, want %s; %d uploads, %v", again, first, b.uploaded()-before, err)
	}
	// Of another snapshot with the same files, only the configuration is.
	if other, err := b.Push(t.Context(), spec(folder(t, time.Unix(1e9, 0)), "two")); err != nil || other == first || b.uploaded() != before+1 {
		t.Errorf("the same files elsewhere make %s; %d uploads, %v", other, b.uploaded()-before, err)
	}
	// A snapshot that was destroyed and built again is another one.
	dir = folder(t, time.Unix(2e9, 0))
	if err := os.WriteFile(filepath.Join(dir, "server.js"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := b.Push(t.Context(), spec(dir, "one")); err != nil || changed == first {
		t.Errorf("a changed folder makes %s, %v", changed, err)
	}
}

// A program that the base image can't run is refused.
func TestProgramIsStatic(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := spec(folder(t, time.Unix(1e9, 0)), "one")
	s.Program = "/bin/sh"
	if _, err := b.Push(t.Context(), s); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("got %v", err)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, id := range []string{"one", "two", "three"} {
		if _, err := b.Push(t.Context(), spec(folder(t, time.Unix(int64(1e9+i), 0)), id)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := b.Prune(t.Context(), "me", "app", []string{"two"}); err != nil {
			t.Fatal(err)
		}
	}
	for id, kept := range map[string]bool{"one": false, "two": true, "three": false} {
		if _, err := remote.Head(b.tag(t, "apps/me/app:"+id)); (err == nil) != kept {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := b.Prune(t.Context(), "me", "none", nil); err != nil {
		t.Error(err)
	}
}

func TestInvalidNames(t *testing.T) {
	t.Parallel()
	for _, o := range []image.Options{{}, {Registry: "a b"}, {Registry: "r.example", Base: "A:%s:x"}} {
		if _, err := image.New(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
