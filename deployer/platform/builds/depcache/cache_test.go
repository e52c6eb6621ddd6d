package depcache_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/builds/depcache"
)

// fixture is an app's folder with its cache.
type fixture struct {
	depcache.Cache
	t   *testing.T
	top string
	as  *syscall.Credential // if the tests are root
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, top: t.TempDir()}
	f.Cache = depcache.Cache(filepath.Join(f.top, ".dependencies"))
	if os.Getuid() == 0 {
		f.as = &syscall.Credential{Uid: 50_999, Gid: 50_999, Groups: []uint32{}}
	}
	return f
}

// install makes a build's folder with these files, which belong to the app.
func (f *fixture) install(build string, files map[string]string) string {
	f.t.Helper()
	dir := filepath.Join(f.top, build)
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			f.t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
	f.own(dir)
	return dir
}

// own makes all below a path the app's.
func (f *fixture) own(dir string) {
	f.t.Helper()
	if f.as == nil {
		return
	}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(f.as.Uid), int(f.as.Gid)))
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) mustSave(key, dir string, places ...string) {
	f.t.Helper()
	if err := f.Save(key, dir, places, f.as); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) mustRestore(key, dir string) []string {
	f.t.Helper()
	scripts, found, err := f.Restore(key, dir, f.as)
	if err != nil || !found {
		f.t.Fatalf("restored: %t, %v", found, err)
	}
	return scripts
}

func (f *fixture) stat(path ...string) (os.FileInfo, *syscall.Stat_t) {
	f.t.Helper()
	info, err := os.Lstat(filepath.Join(path...))
	if err != nil {
		f.t.Fatal(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		f.t.Fatal("no stat")
	}
	return info, stat
}

func (f *fixture) names() []string {
	f.t.Helper()
	entries, err := os.ReadDir(string(f.Cache))
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func mustKey(t *testing.T, inputs any) string {
	t.Helper()
	key, err := depcache.Key(inputs)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const modules = "node_modules"

func tree() map[string]string {
	return map[string]string{
		modules + "/left/index.js":                     "left",
		modules + "/left/bin/run":                      "#!",
		modules + "/.bin/run":                          "-> ../left/bin/run",
		modules + "/.package-lock.json":                "{}",
		modules + "/made/package.json":                 `{"scripts":{"postinstall":"x"}}`,
		modules + "/made/out.js":                       "made",
		modules + "/made/node_modules/inner/index.js":  "inner",
		modules + "/@o/native/package.json":            `{"scripts":{"install":"x"}}`,
		modules + "/@o/native/build/Release/x.node":    "ELF",
		modules + "/gyp/binding.gyp":                   "{}",
		modules + "/gyp/package.json":                  `{"name":"gyp"}`,
		modules + "/.pnpm/p@1/node_modules/p/index.js": "p",
		modules + "/.made/client.js":                   "client",
		modules + "/ui":                                "-> ../packages/ui",
		"packages/ui/index.js":                         "ui",
		"packages/ui/node_modules/deep/index.js":       "deep",
		".yarn/install-state.gz":                       "state",
	}
}

func TestSaveAndRestore(t *testing.T) {
	t.Parallel()
	f := setup(t)
	key := mustKey(t, "one")
	dir := f.install("first", tree())
	if err := os.Chmod(filepath.Join(dir, modules, "left", "bin", "run"), 0o777|os.ModeSetuid); err != nil { //nolint:gosec // what must not be kept
		t.Fatal(err)
	}
	f.mustSave(key, dir, modules, "packages/ui/node_modules", "missing/node_modules", ".yarn/install-state.gz")
	second := f.install("second", map[string]string{modules + "/left/index.js": "mine", modules + "/other.js": "", "packages/ui/index.js": "ui"})
	scripts := f.mustRestore(key, second)
	if want := []string{"made"}; !slices.Equal(scripts, want) {
		t.Errorf("scripts to be run: %v, want %v", scripts, want)
	}
	for _, build := range []string{dir, second} {
		for name, text := range tree() {
			path := filepath.Join(build, name)
			got, err := os.ReadFile(path)
			if target, ok := strings.CutPrefix(text, "-> "); ok {
				var is string
				if is, err = os.Readlink(path); is != target {
					t.Errorf("%s links to %q", name, is)
				}
			} else if build == dir && string(got) != text {
				t.Errorf("%s has %q (%v), want %q", path, got, err, text)
			}
			if err != nil && (build == dir || strings.Contains(name, modules)) {
				t.Error(err)
			}
		}
		if _, err := os.Lstat(filepath.Join(build, modules, "other.js")); err == nil {
			t.Error("what was there is left")
		}
	}
	// Links, in folders of its own; copies of what may be written to.
	linkMode, copyMode := os.FileMode(0o444), os.FileMode(0o644)
	if f.as != nil {
		linkMode = 0o644
	}
	for name, linked := range map[string]bool{
		modules + "/left/index.js": true, modules + "/left/bin/run": true, modules + "/.pnpm/p@1/node_modules/p/index.js": true, "packages/ui/node_modules/deep/index.js": true,
		modules + "/made/out.js": false, modules + "/made/node_modules/inner/index.js": false, modules + "/.package-lock.json": false,
		modules + "/.made/client.js": false, modules + "/@o/native/build/Release/x.node": false, modules + "/gyp/binding.gyp": false, ".yarn/install-state.gz": false,
	} {
		one, stat := f.stat(dir, name)
		two, _ := f.stat(second, name)
		want := copyMode
		if linked {
			want = linkMode
		}
		if name == modules+"/left/bin/run" {
			want |= 0o111
		}
		if os.SameFile(one, two) != linked || one.Mode() != want {
			t.Errorf("%s: shared %t, mode %v, want %t, %v", name, os.SameFile(one, two), one.Mode(), linked, want)
		}
		if f.as != nil && (stat.Uid == f.as.Uid) == linked {
			t.Errorf("%s belongs to %d", name, stat.Uid)
		}
	}
	if _, stat := f.stat(second, modules, "left"); f.as != nil && stat.Uid != f.as.Uid {
		t.Errorf("a folder belongs to %d", stat.Uid)
	}
	if info, _ := f.stat(string(f.Cache)); info.Mode().Perm() != 0o700 {
		t.Errorf("the cache has mode %v", info.Mode())
	}
}

// An app that runs has the user of its next build, and may do such things in
// the middle of it. The server works as root.
func TestSaveRefuses(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(m string) error{
		"pipe": func(m string) error { return syscall.Mkfifo(filepath.Join(m, "evil"), 0o600) },
		"deep": func(m string) error { return os.MkdirAll(filepath.Join(m, strings.Repeat("d/", 300)), 0o700) },
		"a name elsewhere": func(m string) error {
			return os.Link(filepath.Join(m, "left", "index.js"), filepath.Join(filepath.Dir(m), "kept"))
		},
		"nothing":              func(m string) error { return os.RemoveAll(m) },
		"a link for the place": func(m string) error { return errors.Join(os.Rename(m, m+"2"), os.Symlink("/etc", m)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			dir := f.install("first", map[string]string{modules + "/left/index.js": "left"})
			if err := harm(filepath.Join(dir, modules)); err != nil {
				t.Fatal(err)
			}
			f.own(dir)
			err := f.Save(mustKey(t, name), dir, []string{modules}, f.as)
			if name == "a link for the place" {
				// It is kept as the link that it is, and nothing is done to what it leads to.
				if target, readErr := os.Readlink(filepath.Join(dir, modules)); readErr != nil || target != "/etc" {
					t.Errorf("the link is %q (%v, %v)", target, err, readErr)
				}
				return
			}
			if err == nil {
				t.Error("no error")
			}
			if text, err := os.ReadFile(filepath.Join(dir, modules, "left", "index.js")); name != "nothing" && (err != nil || string(text) != "left") {
				t.Errorf("the build lost its dependencies: %q, %v", text, err)
			}
			if _, stat := f.stat(dir); f.as != nil && stat.Uid != f.as.Uid {
				t.Errorf("the folder belongs to %d", stat.Uid)
			}
			if left := f.names(); len(left) > 0 {
				t.Errorf("left are %v", left)
			}
		})
	}
}

func TestSaveRefusesFilesOfOthers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := f.install("first", map[string]string{modules + "/left/index.js": "left"})
	uid := uint32(os.Getuid()) + 1 //nolint:gosec // a uid fits
	if err := f.Save(mustKey(t, 1), dir, []string{modules}, &syscall.Credential{Uid: uid, Gid: uid}); err == nil {
		t.Error("no error")
	}
	f.stat(dir, modules, "left", "index.js")
}

// Files may have several names within the tree, as esbuild's.
func TestHardLinksWithinTheTree(t *testing.T) {
	t.Parallel()
	f := setup(t)
	dir := f.install("first", map[string]string{modules + "/left/a": "left"})
	if err := os.Link(filepath.Join(dir, modules, "left", "a"), filepath.Join(dir, modules, "left", "b")); err != nil {
		t.Fatal(err)
	}
	f.mustSave(mustKey(t, 1), dir, modules)
	f.stat(dir, modules, "left", "b")
}

// A second build of the same key finds the first one's entry.
func TestSaveTwice(t *testing.T) {
	t.Parallel()
	f := setup(t)
	key := mustKey(t, 1)
	for i := range 2 {
		f.mustSave(key, f.install(fmt.Sprint(i), tree()), modules)
	}
	if names := f.names(); len(names) != 1 {
		t.Errorf("entries %v", names)
	}
	one, _ := f.stat(f.top, "0", modules, "left", "index.js")
	two, _ := f.stat(f.top, "1", modules, "left", "index.js")
	if !os.SameFile(one, two) {
		t.Error("the builds have a file each")
	}
}

// What the app makes in the middle can't lead the server's writes elsewhere.
func TestRestoreReplacesALink(t *testing.T) {
	t.Parallel()
	f := setup(t)
	key := mustKey(t, 1)
	dir := f.install("first", tree())
	f.mustSave(key, dir, modules, "packages/ui/node_modules")
	elsewhere := filepath.Join(f.top, "second")
	if err := os.MkdirAll(filepath.Join(elsewhere, "ui", modules), 0o750); err != nil {
		t.Fatal(err)
	}
	second := f.install("third", map[string]string{modules: "-> " + elsewhere})
	f.mustRestore(key, second)
	if info, _ := f.stat(second, modules); !info.IsDir() {
		t.Errorf("%s is %v", modules, info.Mode())
	}
	if within, err := os.ReadDir(elsewhere); err != nil || len(within) != 1 {
		t.Errorf("elsewhere is %v, %v", within, err)
	}
	// A link in the path leads nowhere outside of the app's own folders.
	out := t.TempDir()
	fourth := f.install("fourth", map[string]string{"packages": "-> " + out})
	if _, _, err := f.Restore(key, fourth, f.as); err == nil {
		t.Error("it was restored through a link")
	}
	if within, err := os.ReadDir(out); err != nil || len(within) != 0 {
		t.Errorf("outside is %v, %v", within, err)
	}
}

func TestRestoreOfWhatIsBroken(t *testing.T) {
	t.Parallel()
	f := setup(t)
	key := mustKey(t, 1)
	dir := f.install("first", tree())
	if _, found, err := f.Restore(key, dir, f.as); found || err != nil {
		t.Errorf("before it was saved: %t, %v", found, err)
	}
	if _, found, err := depcache.Cache("").Restore(key, dir, f.as); found || err != nil {
		t.Errorf("without a cache: %t, %v", found, err)
	}
	f.mustSave(key, dir, modules)
	if err := os.RemoveAll(filepath.Join(string(f.Cache), key, "tree")); err != nil {
		t.Fatal(err)
	}
	if _, found, err := f.Restore(key, dir, f.as); !found || err == nil {
		t.Errorf("half an entry: %t, %v", found, err)
	}
	if err := f.Refuse(key); err != nil || !f.Refused(key) || f.Refused(mustKey(t, 2)) {
		t.Errorf("refused: %v", err)
	}
	if _, found, err := f.Restore(key, dir, f.as); found || err != nil {
		t.Errorf("refused: %t, %v", found, err)
	}
}

func TestPruneAndSweep(t *testing.T) {
	t.Parallel()
	f := setup(t)
	one, two := mustKey(t, 1), mustKey(t, 2)
	f.mustSave(one, f.install("a", tree()), modules)
	f.mustSave(two, f.install("b", tree()), modules)
	f.mustRestore(one, f.install("c", map[string]string{"x": ""}))
	for _, left := range []string{"next-1/x", "old-2/x", "refused-" + one, strings.Repeat("a", 64) + "/tree"} {
		if err := os.MkdirAll(filepath.Join(string(f.Cache), left), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sweep(); err != nil {
		t.Fatal(err)
	}
	if names := f.names(); len(names) != 2 {
		t.Errorf("swept: %v, want the two that are used", names)
	}
	for _, step := range []struct {
		gone string
		left int
	}{{"a", 2}, {"b", 1}, {"c", 0}} {
		if err := os.RemoveAll(filepath.Join(f.top, step.gone)); err != nil {
			t.Fatal(err)
		}
		if err := f.Prune(); err != nil {
			t.Fatal(err)
		}
		if names := f.names(); len(names) != step.left {
			t.Errorf("without %s there are %v, want %d", step.gone, names, step.left)
		}
	}
	for _, none := range []depcache.Cache{"", depcache.Cache(filepath.Join(t.TempDir(), "missing"))} {
		if err := none.Sweep(); err != nil {
			t.Error(err)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	one := mustKey(t, 1)
	if two, again := mustKey(t, 2), mustKey(t, 1); one == two || one != again {
		t.Error("a key does not follow from its inputs")
	}
	if _, err := depcache.Key(func() {}); err == nil {
		t.Error("no error of what can't be encoded")
	}
}
