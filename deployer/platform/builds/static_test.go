package builds_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

// Of a static site only its folder is kept, and nothing is started.
func TestStaticSite(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{})
	result := b.mustBuild(app(t, `{"name":"a","webhooks":{"static":"www","fallback":"index.html"}}`, "www/index.html", "home", "server.js", "x"))
	if result.Static != "site" || result.Dir != b.dir || result.Fallback != "index.html" || result.Web != "" {
		t.Fatalf("result %+v", result)
	}
	if text, err := os.ReadFile(filepath.Join(b.dir, "site", "index.html")); err != nil || string(text) != "home" {
		t.Errorf("the site has %q, %v", text, err)
	}
	if entries, err := os.ReadDir(b.dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}
