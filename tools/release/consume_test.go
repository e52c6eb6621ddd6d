package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReleaseOfThisTree releases what is committed here, in a clone, and uses
// it as others would: one module as a library, the program by go install, and
// a checkout of the tag without a network.
func TestReleaseOfThisTree(t *testing.T) {
	t.Parallel()
	const version = "v0.999.0" // will never be published

	top := runIn(t, ".", nil, "git", "rev-parse", "--show-toplevel")
	root := filepath.Join(t.TempDir(), "clone")
	runIn(t, ".", nil, "git", "clone", "--quiet", "--no-tags", top, root)
	if code, _, stderr := release(t, "-C", root, "set", version); code != 0 {
		t.Fatalf("release set %s: exit code %d: %s", version, code, stderr)
	}
	changelog := filepath.Join(root, "CHANGELOG.md")
	text := strings.Replace(read(t, changelog), "\n## [", "\n## ["+version[1:]+"] - 2026-11-23\n\n- A test.\n\n## [", 1)
	if err := os.WriteFile(changelog, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	runIn(t, root, nil, "git", "commit", "--quiet", "--all", "--message=Release what is here")
	if code, _, stderr := release(t, "-C", root, "tag"); code != 0 {
		t.Fatalf("release tag: exit code %d: %s", code, stderr)
	}

	env := outside(t, publish(t, root, version))
	useProvider(t, env, version)
	runIn(t, t.TempDir(), env, "go", "install", prefix+"tools/webhooks@"+version)
	program := filepath.Join(value(env, "GOBIN"), "webhooks")
	if help := runIn(t, ".", nil, program, "--help"); !strings.Contains(help, "webhooks serve") {
		t.Errorf("webhooks --help: %s", help)
	}

	checkout := filepath.Join(t.TempDir(), "checkout")
	runIn(t, ".", nil, "git", "clone", "--quiet", "--config=advice.detachedHead=false", "--branch=core/"+version, root, checkout)
	runIn(t, checkout, []string{"GOPROXY=off", "GOFLAGS=-tags=nomsgpack"}, "go", "build", "work")
}

// publish has the go command fetch the tagged modules from the repository, as
// the public proxy would, and returns the URL of a file proxy that has them:
// the cache it filled has the layout of one.
func publish(t *testing.T, root, version string) string {
	t.Helper()
	cache := t.TempDir()
	env := []string{
		"GOWORK=off", "GOMODCACHE=" + cache, "GOFLAGS=-modcacherw", "GOPROXY=direct", "GOSUMDB=off", "GOTOOLCHAIN=local",
		"GIT_CONFIG_COUNT=1", // git uses the repository in place of the one at GitHub
		"GIT_CONFIG_KEY_0=url.file://" + filepath.ToSlash(root) + ".insteadOf",
		"GIT_CONFIG_VALUE_0=https://" + strings.TrimSuffix(prefix, "/"),
	}
	args := []string{"mod", "download"}
	w, err := open(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range w.released() {
		args = append(args, m.path()+"@"+version)
	}
	runIn(t, t.TempDir(), env, "go", args...)
	return "file://" + filepath.ToSlash(filepath.Join(cache, "cache", "download"))
}

// outside is the environment of a person who has nothing of this work tree: a
// module cache of their own, and proxies with the release and with third-party
// modules. Those come from this machine's cache, which has the layout of a
// proxy, and if it lacks one, from where the machine gets them.
func outside(t *testing.T, release string) []string {
	t.Helper()
	cache := "file://" + filepath.ToSlash(filepath.Join(runIn(t, ".", nil, "go", "env", "GOMODCACHE"), "cache", "download"))
	return []string{
		"GOMODCACHE=" + t.TempDir(), "GOBIN=" + t.TempDir(), "GOTOOLCHAIN=local",
		"GOPROXY=" + release + "," + cache + "," + runIn(t, ".", nil, "go", "env", "GOPROXY"),
		"GOSUMDB=off", // the release is in no public database, and the machine's cache is verified
		"GOFLAGS=-modcacherw -trimpath",
	}
}

// useProvider builds a program that imports providers/github, and checks what
// it prints and which modules it links.
func useProvider(t *testing.T, env []string, version string) {
	t.Helper()
	dir := write(t, map[string]string{
		"go.mod": "module example.org/consumer\n\ngo 1.26.8\n",
		"main.go": `package main

import (
	"fmt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/github"
)

func main() { fmt.Println(core.StatusOK, github.Provider{}.Name()) }
`,
	})
	runIn(t, dir, env, "go", "get", prefix+"providers/github@"+version)
	if got := runIn(t, dir, env, "go", "run", "."); got != "ok github" {
		t.Errorf("the program printed %q", got)
	}
	linked := strings.Fields(runIn(t, dir, env, "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}@{{.Version}}{{end}}", "."))
	slices.Sort(linked)
	want := []string{"example.org/consumer@", prefix + "core@" + version, prefix + "providers@" + version}
	if linked = slices.Compact(linked); !slices.Equal(linked, want) {
		t.Errorf("the program links %v, want %v", linked, want)
	}
}

func value(env []string, name string) string {
	for _, pair := range env {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}
