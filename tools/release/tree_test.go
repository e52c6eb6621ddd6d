package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReleaseOfThisTree releases what is committed here, in a clone, and uses
// it as others would: one module alone, the program by go install, and a
// checkout of the tag.
func TestReleaseOfThisTree(t *testing.T) {
	t.Parallel()
	// No version that will ever be published, so that no tag of it exists.
	const version = "v0.999.0"

	root := filepath.Join(t.TempDir(), "clone")
	command(t, ".", "git", "clone", "--quiet", "--no-tags", command(t, ".", "git", "rev-parse", "--show-toplevel"), root)
	command(t, root, "git", "checkout", "--quiet", "-B", "main")
	if code, _, stderr := release(t, "set", version, "-C", root); code != exitOK {
		t.Fatalf("release set %s: exit code %d: %s", version, code, stderr)
	}
	name := filepath.Join(root, "CHANGELOG.md")
	changelog, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(changelog), "\n## [", "\n## ["+version[1:]+"] - 2026-11-23\n\n### Added\n\n- A test.\n\n## [", 1)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, root, "git", "commit", "--quiet", "--all", "--message=Release what is here")

	makeRelease(t, root, version)

	// Third-party modules come from this machine's cache, which has the layout of
	// a proxy, and what it lacks from where it would come from.
	cache := "file://" + filepath.ToSlash(filepath.Join(command(t, ".", "go", "env", "GOMODCACHE"), "cache", "download"))
	env := outside(t, publish(t, root, version), cache, command(t, ".", "go", "env", "GOPROXY"))

	useProviders(t, env, version, `package main

import (
	"fmt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/github"
)

func main() {
	ping := core.Delivery{Payload: []byte("{\"zen\": \"Keep it logically awesome.\"}")}
	fmt.Println(github.Provider{}.Name(), github.Provider{}.Recognize(ping))
}
`, "github true")

	program := install(t, env, version)
	expect(t, "webhooks --help", command(t, root, program, "--help"), "webhooks", "serve")

	buildAtTag(t, root, env, version)
}
