package docs_test

import (
	"bytes"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/httpapi/docs"
)

var update = flag.Bool("update", false, "copy the documentation of the repository")

// TestCopyIsComplete compares the copy with the documentation of the repository.
func TestCopyIsComplete(t *testing.T) {
	t.Parallel()
	const root, copied = "../..", "pages"
	want := map[string][]byte{}
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/*.png"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range found {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			want[name] = text
		}
	}
	if *update {
		if err := os.RemoveAll(copied); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			file := filepath.Join(copied, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := map[string][]byte{}
	for _, pattern := range []string{"*.md", "docs/*"} {
		found, err := filepath.Glob(filepath.Join(copied, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(copied, file)
			if err != nil {
				t.Fatal(err)
			}
			got[name] = text
		}
	}
	for name := range got {
		if want[name] == nil {
			t.Errorf("%s is not in the repository any more", name)
		}
	}
	for name, text := range want {
		if !bytes.Equal(got[name], text) {
			t.Errorf("the copy of %s differs", name)
		}
	}
	if t.Failed() {
		t.Log("run go test ./httpapi/docs -update, and build again")
	}
}

// get returns the answer to a request.
func get(t *testing.T, d http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody))
	return w
}

// TestLinks follows every link and picture of every page.
func TestLinks(t *testing.T) {
	t.Parallel()
	d := docs.New(func(*http.Request) bool { return true })
	reference := regexp.MustCompile(` (?:href|src)="([^"]*)"`)
	seen, left := map[string]string{}, []string{docs.Path}
	for len(left) > 0 {
		target := left[0]
		left = left[1:]
		if _, ok := seen[target]; ok {
			continue
		}
		w := get(t, d, target)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: got %d", target, w.Code)
		}
		seen[target] = w.Body.String()
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", target, policy)
		}
		for _, found := range reference.FindAllStringSubmatch(w.Body.String(), -1) {
			file, _, _ := strings.Cut(found[1], "#")
			if file == "/" || file == "" || strings.Contains(file, "://") {
				continue
			}
			left = append(left, file)
		}
	}
	for page, text := range seen {
		for _, found := range reference.FindAllStringSubmatch(text, -1) {
			file, fragment, has := strings.Cut(found[1], "#")
			if !has || strings.Contains(file, "://") {
				continue
			}
			if file == "" {
				file = page
			}
			if !strings.Contains(seen[file], ` id="`+fragment+`"`) {
				t.Errorf("%s: the link to %s leads nowhere", page, found[1])
			}
		}
	}
	for _, want := range []string{"/docs/api", "/docs/operating", "/docs/dashboard.png", "/docs/docs.css"} {
		if seen[want] == "" {
			t.Errorf("no link leads to %s", want)
		}
	}
	if page := seen["/docs/api"]; !strings.Contains(page, "<table tabindex=\"0\">") || !strings.Contains(page, `<a href="/docs/forges">`) || strings.Contains(page, "<script") {
		t.Errorf("the page is not rendered:\n%.500s", page)
	}
	for _, target := range []string{"/docs/nothing", "/docs/../go.mod", "/docs/docs.go", "/docs/x.png"} {
		if w := get(t, d, target); w.Code != http.StatusNotFound {
			t.Errorf("%s: got %d", target, w.Code)
		}
	}
}
