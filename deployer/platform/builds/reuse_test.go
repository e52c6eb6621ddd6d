package builds_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/depcache"
)

const (
	reusing    = "Reusing the dependencies of an earlier build, as package-lock.json is the same"
	installing = "Installing the dependencies: npm ci"
)

// shop is a registry and the packages of it in an app's lockfile.
type shop struct {
	*registry
	packages map[string]map[string]any // of the lockfile, by path
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{registry: newRegistry(t), packages: map[string]map[string]any{}}
	s.add(t, "left", map[string]any{"main": "left.js"}, entry{name: "package/left.js", text: "module.exports = 'left'\n"})
	return s
}

// add publishes version 1.0.0 of a package and locks it.
func (s *shop) add(t testing.TB, name string, manifest map[string]any, entries ...entry) {
	t.Helper()
	_, scripts := manifest["scripts"]
	integrity := s.publishManifest(t, name, "1.0.0", manifest, entries...)
	s.packages["node_modules/"+name] = map[string]any{
		"version": "1.0.0", "resolved": fmt.Sprintf("%s/%[2]s/-/%[2]s-1.0.0.tgz", s.url, name), "integrity": integrity,
	}
	if scripts {
		s.packages["node_modules/"+name]["hasInstallScript"] = true
	}
}

// app returns an app that depends on all packages, with further fields and files.
func (s *shop) app(t testing.TB, fields map[string]any, files ...string) []byte {
	t.Helper()
	dependencies := map[string]string{}
	for place := range s.packages {
		dependencies[strings.TrimPrefix(place, "node_modules/")] = "1.0.0"
	}
	pkg := map[string]any{"name": "a", "version": "1.0.0", "dependencies": dependencies}
	packages := map[string]any{"": map[string]any{"name": "a", "version": "1.0.0", "dependencies": dependencies}}
	for place, p := range s.packages {
		packages[place] = p
	}
	maps.Copy(pkg, fields)
	return app(t, text(t, pkg), append([]string{
		"package-lock.json", text(t, map[string]any{"name": "a", "version": "1.0.0", "lockfileVersion": 3, "packages": packages}),
	}, files...)...)
}

func text(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sharing returns a fixture whose builds share dependencies, and a function that
// prepares the next build.
func sharing(t testing.TB, o builds.Options) (b *fixture, next func(name string)) {
	t.Helper()
	b = setup(t, o)
	top := filepath.Join(filepath.Dir(b.dir), "apps", "a")
	if err := os.MkdirAll(top, 0o755); err != nil { //nolint:gosec // the app's user needs to search it
		t.Fatal(err)
	}
	b.deps = depcache.Cache(filepath.Join(top, ".dependencies"))
	b.home = filepath.Join(top, ".home")
	next = func(name string) {
		b.dir = filepath.Join(top, name)
		b.out.Reset()
	}
	next("first")
	return b, next
}

// names returns the names in the folder of shared dependencies.
func (b *fixture) names() []string {
	b.t.Helper()
	entries, err := os.ReadDir(string(b.deps))
	if err != nil && !os.IsNotExist(err) {
		b.t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// do runs a shell script as the app's user.
func (b *fixture) do(script string) (string, error) {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), "/bin/sh", "-c", script) //nolint:gosec // written by the test
	cmd.Dir = b.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: b.as}
	said, err := cmd.CombinedOutput()
	return string(said), err
}

func (b *fixture) mustDo(script string) {
	b.t.Helper()
	if said, err := b.do(script); err != nil {
		b.t.Fatalf("%s: %v: %s", script, err, said)
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestRebuildReusesDependencies(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b, next := sharing(t, builds.Options{Registry: s.url})
	b.mustBuild(s.app(t, nil))
	mention(t, b.out.String(), installing)
	left := filepath.Join("node_modules", "left", "left.js")
	first := stat(t, filepath.Join(b.dir, left))

	// Other fields and files of the app don't matter, nor do modules in its archive.
	asked := len(s.seen)
	next("second")
	b.mustBuild(s.app(t, map[string]any{"version": "2.0.0", "scripts": map[string]string{"start": "node x"}},
		"x.js", "", "node_modules/left/left.js", "'mine'", "node_modules/other.js", ""))
	mention(t, b.out.String(), reusing)
	if strings.Contains(b.out.String(), "npm ci") || len(s.seen) != asked {
		t.Errorf("npm was run; the registry got requests for %v; output:\n%s", s.seen[asked:], b.out.String())
	}
	second := stat(t, filepath.Join(b.dir, left))
	if !os.SameFile(first, second) {
		t.Error("the builds do not share the file")
	}
	if names := b.names(); len(names) != 1 {
		t.Errorf("entries %v, want one", names)
	}
	b.mustDo(`test "$(node -p 'require("left")')" = left && test ! -e node_modules/other.js`)
	b.mustDo("mkdir node_modules/.cache && rm -r node_modules/left") // its folders are writable

	// Shared files are read-only.
	b.dir = filepath.Join(filepath.Dir(b.dir), "first")
	b.mustDo(`test "$(node -p 'require("left")')" = left`)
	if b.as == nil {
		if first.Mode().Perm() != 0o444 {
			t.Errorf("mode %v", first.Mode())
		}
		return
	}
	for _, script := range []string{
		"echo evil >> " + left, "chmod 666 " + left, "cd '" + string(b.deps) + "'", "ls '" + string(b.deps) + "'",
	} {
		if said, err := b.do(script); err == nil {
			t.Errorf("the app is allowed to %q: %s", script, said)
		}
	}
}

func TestRebuildInstallsWhatChanged(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	other := newShop(t)
	other.add(t, "right", map[string]any{})
	b, next := sharing(t, builds.Options{Registry: s.url})
	for i, test := range []struct {
		tgz  []byte
		want string
	}{
		{s.app(t, nil), installing},
		{s.app(t, nil, "new.js", ""), reusing},
		{s.app(t, nil, ".npmrc", "loglevel=notice\n"), installing},
		{s.app(t, map[string]any{"optionalDependencies": map[string]string{}}), installing},
		{s.app(t, map[string]any{"scripts": map[string]string{"postinstall": "true"}}), installing},
		{s.app(t, map[string]any{"scripts": map[string]string{"postinstall": "true; true"}}), installing},
		{other.app(t, nil), installing},
		{s.app(t, nil), reusing},
	} {
		next(fmt.Sprint("build", i))
		b.mustBuild(test.tgz)
		mention(t, b.out.String(), test.want)
		if test.want == installing && strings.Contains(b.out.String(), reusing) {
			t.Errorf("build %d reused:\n%s", i, b.out.String())
		}
	}
	// An outdated lockfile is refused.
	next("lags")
	mention(t, b.failure(s.app(t, map[string]any{"dependencies": map[string]string{"left": "1.0.0", "right": "1.0.0"}})), "npm ci failed")
}

// Install scripts may read the app's files, for example to generate code from a
// schema, so they run in each build.
func TestRebuildRunsScripts(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.add(t, "generator", map[string]any{"scripts": map[string]string{
		"postinstall": `cat "$INIT_CWD/schema" > generated && mkdir -p ../.made && cat generated > ../.made/client`,
	}}, entry{name: "package/generated", text: "nothing"})
	b, next := sharing(t, builds.Options{Registry: s.url})
	for i, schema := range []string{"one", "two", "three"} {
		next(schema)
		b.mustBuild(s.app(t, map[string]any{"scripts": map[string]string{"postinstall": "echo app >> made-by-app"}}, "schema", schema))
		if got := b.read("node_modules/.made/client"); got != schema {
			t.Errorf("the script of a package wrote %q for %q", got, schema)
		}
		if got := b.read("made-by-app"); got != "app\n" {
			t.Errorf("the app's script wrote %q", got)
		}
		if reused := strings.Contains(b.out.String(), reusing); reused != (i > 0) {
			t.Errorf("build %d:\n%s", i, b.out.String())
		}
	}
	next("fails")
	reason := b.failure(s.app(t, map[string]any{"scripts": map[string]string{"postinstall": "echo made; exit 3"}}, "schema", ""))
	mention(t, reason, "failed")
}

func TestRebuildWhenScriptsChangePackages(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b, next := sharing(t, builds.Options{Registry: s.url})
	if b.as == nil {
		t.Log("as this user, a script may change what is shared if it changes the mode first")
	}
	for i, name := range []string{"one", "two", "three"} {
		next(name)
		b.mustBuild(s.app(t, map[string]any{"scripts": map[string]string{"postinstall": "echo patched >> node_modules/left/left.js"}}))
		if got := b.read("node_modules/left/left.js"); strings.Count(got, "patched") != 1 {
			t.Errorf("the app's script wrote %q", got)
		}
		if refused := strings.Contains(b.out.String(), "installing them again"); refused != (i == 1) {
			t.Errorf("build %d:\n%s", i, b.out.String())
		}
	}
}

func TestConcurrentRebuilds(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b, _ := sharing(t, builds.Options{Registry: s.url})
	tgz := s.app(t, nil)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			dir := filepath.Join(filepath.Dir(b.dir), fmt.Sprint("build", i))
			var out bytes.Buffer
			if _, err := b.Build(t.Context(), builds.Snapshot{Tgz: bytes.NewReader(tgz), Dir: dir, Credential: b.as, Dependencies: b.deps}, &out); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			}
			if _, err := os.Stat(filepath.Join(dir, "node_modules", "left", "left.js")); err != nil {
				t.Error(err)
			}
			if err := b.deps.Prune(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if names := b.names(); len(names) != 1 {
		t.Errorf("entries %v, want one", names)
	}
}

func TestRebuildWithIncompleteEntry(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var log bytes.Buffer
	b, next := sharing(t, builds.Options{Registry: s.url, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	b.mustBuild(s.app(t, nil))
	if err := os.RemoveAll(filepath.Join(string(b.deps), b.names()[0], "tree")); err != nil {
		t.Fatal(err)
	}
	next("second")
	b.mustBuild(s.app(t, nil))
	mention(t, b.out.String(), installing)
	mention(t, log.String(), "restoring dependencies failed")
	next("third")
	b.mustBuild(s.app(t, nil))
	mention(t, b.out.String(), reusing)
	b.mustDo(`test "$(node -p 'require("left")')" = left`)
}
