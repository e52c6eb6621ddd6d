package apps

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// A production build by a script of the app at its installation.
func TestNextSite(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "next")
	id, output, failure := a.upload(example(t, "next", nil))
	if failure != "" || !strings.Contains(output, "added ") {
		t.Fatalf("the build: %s\n%s", failure, output)
	}
	if got := a.start(id); got.status != http.StatusOK {
		t.Fatalf("the start: %d %s", got.status, got.body)
	}
	page := a.get("/")
	if page.status != http.StatusOK || !strings.Contains(page.body, "<h1>Hello</h1>") || !strings.Contains(page.body, a.host()) {
		t.Errorf("the page: %d %s", page.status, page.body)
	}
	// The page's scripts are of this build.
	src := regexp.MustCompile(`<script src="(/_next/static/[^"]+)"`).FindStringSubmatch(page.body)
	if src == nil {
		t.Fatalf("the page has no scripts: %s", page.body)
	}
	if got := a.get(src[1]); got.status != http.StatusOK || len(got.body) < 1000 {
		t.Errorf("%s: %d, %d bytes", src[1], got.status, len(got.body))
	}
	if got := a.get("/nowhere"); got.status != http.StatusNotFound || !strings.Contains(got.body, "<html") {
		t.Errorf("a page that is not there: %d %s", got.status, got.body)
	}
}
