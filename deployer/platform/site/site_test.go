package site_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/site"
)

// open returns the site of a folder with these files.
func open(t *testing.T, fallback string, files map[string]string) (*site.Site, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "www")
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := site.New(dir, fallback)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, dir
}

func ask(t *testing.T, s *site.Site, method, path string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	return w
}

// The site supports the requests of browsers and proxies.
func TestSite(t *testing.T) {
	t.Parallel()
	s, _ := open(t, "", map[string]string{
		"index.html": "home", "data.txt": "0123456789", "data.txt.br": "small", "data.txt.gz": "packed", "page.html": "page",
		".git/config": "secret", "sub/index.html": "sub", "sub/.env": "secret", ".well-known/x": "known", "node_modules/a.js": "a", "a b.html": "space",
	})
	first := ask(t, s, "GET", "/data.txt", nil)
	tag := first.Header().Get("ETag")
	if first.Code != 200 || first.Body.String() != "0123456789" || tag == "" || first.Header().Get("Content-Type") != "text/plain; charset=utf-8" ||
		first.Header().Get("Last-Modified") == "" || first.Header().Get("Vary") != "Accept-Encoding" {
		t.Fatalf("got %d %q %v", first.Code, first.Body, first.Header())
	}
	for _, test := range []struct {
		what, method, path string
		header             map[string]string
		status             int
		body, name, value  string
	}{
		{"home", "GET", "/", nil, 200, "home", "Content-Type", "text/html; charset=utf-8"},
		{"without its suffix", "GET", "/page", nil, 200, "page", "", ""},
		{"with a space", "GET", "/a%20b", nil, 200, "space", "", ""},
		{"known", "GET", "/data.txt", map[string]string{"If-None-Match": tag}, 304, "", "ETag", tag},
		{"known in another encoding", "GET", "/data.txt", map[string]string{"If-None-Match": tag, "Accept-Encoding": "br"}, 200, "small", "", ""},
		{"a part", "GET", "/data.txt", map[string]string{"Range": "bytes=2-4"}, 206, "234", "Content-Range", "bytes 2-4/10"},
		{"the end", "GET", "/data.txt", map[string]string{"Range": "bytes=-3"}, 206, "789", "Content-Range", "bytes 7-9/10"},
		{"beyond", "GET", "/data.txt", map[string]string{"Range": "bytes=10-"}, 416, "invalid range: failed to overlap\n", "Content-Range", "bytes */10"},
		{"a part of another", "GET", "/data.txt", map[string]string{"Range": "bytes=2-4", "If-Range": `"x"`}, 200, "0123456789", "Accept-Ranges", "bytes"},
		{"compressed", "GET", "/data.txt", map[string]string{"Accept-Encoding": "gzip, br"}, 200, "small", "Content-Encoding", "br"},
		{"by gzip", "GET", "/data.txt", map[string]string{"Accept-Encoding": "br;q=0, gzip; q=0.5"}, 200, "packed", "Content-Encoding", "gzip"},
		{"not compressed", "GET", "/data.txt", map[string]string{"Accept-Encoding": "br;q=0"}, 200, "0123456789", "Content-Encoding", ""},
		{"head", "HEAD", "/data.txt", nil, 200, "", "Content-Length", "10"},
		{"post", "POST", "/data.txt", nil, 405, "Method not allowed\n", "Allow", "GET, HEAD"},
		{"a folder", "GET", "/sub?a=b", nil, 308, "", "Location", "/sub/?a=b"},
		{"in a folder", "GET", "/sub/", nil, 200, "sub", "", ""},
		{"not a folder", "GET", "/page/", nil, 404, "Not found\n", "", ""},
		{"hidden", "GET", "/.git/config", nil, 404, "Not found\n", "", ""},
		{"hidden below", "GET", "/sub/.env", nil, 404, "Not found\n", "", ""},
		{"packages", "GET", "/node_modules/a.js", nil, 404, "Not found\n", "", ""},
		{"well known", "GET", "/.well-known/x", nil, 200, "known", "Content-Type", "application/octet-stream"},
		{"climbing", "GET", "/..%2f..%2fpackage.json", nil, 404, "Not found\n", "", ""},
		{"backslash", "GET", "/..%5c", nil, 400, "Bad request\n", "", ""},
		{"NUL", "GET", "/%00", nil, 400, "Bad request\n", "", ""},
		{"another host", "GET", "//example.org/sub", nil, 404, "Not found\n", "", ""},
	} {
		got := ask(t, s, test.method, test.path, test.header)
		if got.Code != test.status || got.Body.String() != test.body || test.name != "" && got.Header().Get(test.name) != test.value {
			t.Errorf("%s: got %d %q %v", test.what, got.Code, got.Body, got.Header())
		}
	}
	// The same content has the same tag in another version.
	again, _ := open(t, "", map[string]string{"data.txt": "0123456789", "other.txt": "0123456788"})
	if got := ask(t, again, "GET", "/data.txt", nil).Header().Get("ETag"); got != tag {
		t.Errorf("the tag %s is %s in another version", tag, got)
	}
	if got := ask(t, again, "GET", "/other.txt", nil).Header().Get("ETag"); got == tag {
		t.Error("other content has the same tag")
	}
}

func TestFallback(t *testing.T) {
	t.Parallel()
	s, _ := open(t, "./index.html", map[string]string{"index.html": "the page", "404.html": "not here", "a.js": "1"})
	for path, want := range map[string]string{
		"/": "200 the page", "/users/7": "200 the page", "/users/7/": "200 the page", "/missing.js": "404 not here", "/a.js": "200 1", "/.env": "404 not here",
	} {
		got := ask(t, s, "GET", path, nil)
		if text := strconv.Itoa(got.Code) + " " + got.Body.String(); text != want {
			t.Errorf("%s: got %q, want %q", path, text, want)
		}
	}
	if got := ask(t, s, "HEAD", "/x.js", nil); got.Code != 404 || got.Body.Len() > 0 || got.Header().Get("Content-Length") != "8" {
		t.Errorf("got %d %q %v", got.Code, got.Body, got.Header())
	}
}

// What is not a file of the site's is not served, and nothing blocks.
func TestNotOfTheSite(t *testing.T) {
	t.Parallel()
	s, dir := open(t, "", map[string]string{"index.html": "home"})
	outside := filepath.Join(filepath.Dir(dir), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]string{"absolute": outside, "relative": "../secret", "inside": "index.html"} {
		if err := os.Symlink(link, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"/absolute": 404, "/relative": 404, "/inside": 200, "/pipe": 404}
	if os.Getuid() == 0 { // another's file, as a hard link
		if err := os.Chown(outside, 1, 1); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(outside, filepath.Join(dir, "hard")); err != nil {
			t.Fatal(err)
		}
		want["/hard"] = 404
	}
	for path, status := range want {
		got := ask(t, s, "GET", path, nil)
		if got.Code != status || bytes.Contains(got.Body.Bytes(), []byte("secret")) {
			t.Errorf("%s: got %d %q", path, got.Code, got.Body)
		}
	}
	if _, err := site.New(filepath.Join(dir, "none"), ""); err == nil {
		t.Error("a folder that does not exist is opened")
	}
}
