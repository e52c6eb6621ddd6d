package snapshots_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

func TestBuildFindsWhatStarts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`package.json={"main":"bin/www"} bin/www=`:                        "node bin/www",
		`package.json={"main":"./lib/x"} lib/x.js=`:                       "node lib/x.js",
		`package.json={"main":"lib"} lib/index.js=`:                       "node lib/index.js",
		`package.json={"main":"lib/"} lib/index.js=`:                      "node lib/index.js",
		"package.json=\ufeff" + `{"main":"x.js"} x.js=`:                   "node x.js",
		`package.json={"main":"x.js","scripts":{"start":"y"}} x.js=`:      "found",
		`package.json={"main":"x.js"} x.js= server.js=`:                   "found",
		`package.json={"main":"missing.js"}`:                              "found",
		`package.json={"main":"a;b.js"} a;b.js=`:                          "found",
		`package.json={"main":"-e.js"} -e.js=`:                            "found",
		`package.json={"main":["x.js"],"scripts":["start"]} x.js=`:        "found",
		`package.json={"main":"x.js","scripts":{"start":7}} x.js=`:        "node x.js",
		`package.json=nonsense x.js=`:                                     "found",
		`package.json/folder=`:                                            "found",
		`other=`:                                                          "found",
		`package.json={"main":"../../../../../../../../../../bin/sh.js"}`: "found",
	} {
		b := setup(t)
		b.builder.start = "found"
		if got := b.put("me", "app", "1", text).Start; got != want {
			t.Errorf("%s: start %q, want %q", text, got, want)
		}
	}
}

// What the app puts there must not lead the server out of its folder.
func TestStartStaysInside(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.builder.start = "found"
	secret := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(secret, []byte(`{"main":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b.builder.after = func(s builds.Snapshot) error { return os.Symlink(secret, filepath.Join(s.Dir, "package.json")) }
	if got := b.put("me", "app", "1", "x=1").Start; got != "found" {
		t.Errorf("start %q", got)
	}
}
