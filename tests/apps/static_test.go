package apps

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

// A site that a build script makes is served without a program of its own.
func TestStaticSite(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "static")
	style := strings.Repeat("a{color:red}", 99)
	id, output, failure := a.upload(files{
		"package.json":   `{"name":"app","version":"1.0.0","scripts":{"build":"mkdir -p dist/sub dist/assets && cp src/index.html dist && cp src/404.html dist && echo sub > dist/sub/index.html && cp src/style.css src/style.css.gz dist/assets && echo secret > dist/.env"},"webhooks":{"fallback":""}}`,
		"src/index.html": "<h1>home</h1>", "src/404.html": "<h1>not here</h1>", "src/style.css": style, "src/style.css.gz": gzipped(t, style),
	})
	if failure != "" || !strings.Contains(output, "The app is a static site, as there is dist/index.html") {
		t.Fatalf("the build: %s\n%s", failure, output)
	}
	if got := a.start(id); got.status != http.StatusOK {
		t.Fatalf("the start: %d %s", got.status, got.body)
	}
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/": {200, "<h1>home</h1>"}, "/index": {200, "<h1>home</h1>"}, "/sub/": {200, "sub\n"}, "/nowhere": {404, "<h1>not here</h1>"},
		"/.env": {404, "<h1>not here</h1>"}, "/%2e%2e/package.json": {404, "<h1>not here</h1>"}, "/assets/style.css": {200, style},
	} {
		if got := a.get(path); got.status != want.status || got.body != want.body {
			t.Errorf("%s: got %d %.60q, want %d %.60q", path, got.status, got.body, want.status, want.body)
		}
	}
}

// A one-page application answers unknown paths with its page, if it asks for
// that.
func TestOnePageApplication(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "onepage")
	id, output, failure := a.upload(files{
		"package.json":   `{"name":"app","version":"1.0.0","scripts":{"start":"vite"},"webhooks":{"static":"www","fallback":"index.html"}}`,
		"www/index.html": "the page", "www/a.js": "1",
	})
	if failure != "" {
		t.Fatalf("the build: %s\n%s", failure, output)
	}
	a.ok(a.start(id))
	for path, want := range map[string]int{"/": 200, "/users/7": 200, "/missing.js": 404, "/a.js": 200} {
		if got := a.get(path); got.status != want {
			t.Errorf("%s: got %d %q, want %d", path, got.status, got.body, want)
		}
	}
}
