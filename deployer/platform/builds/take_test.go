package builds

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const hiddenLeft = `{"packages":{"node_modules/left":{}}}`

// installed makes an app's folder with modules, and the trees beside it.
func installed(t *testing.T) (dir string, trees Trees) {
	t.Helper()
	top := t.TempDir()
	dir = filepath.Join(top, "app")
	if err := os.MkdirAll(filepath.Join(dir, modules, "left"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, modules, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("left/left.js", "left")
	write(hiddenLock, hiddenLeft)
	return dir, Trees(filepath.Join(top, ".dependencies"))
}

var testKey = strings.Repeat("0", 64) //nolint:gochecknoglobals // a constant

// An app that runs has the user of its next build, and may do such things in
// the middle of it. The server copies as root.
func TestKeepTakesNothingElse(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(modules string) error{
		"link out": func(m string) error { return os.Symlink("../../secret", filepath.Join(m, "evil")) },
		"absolute": func(m string) error { return os.Symlink("/etc/passwd", filepath.Join(m, "evil")) },
		"pipe":     func(m string) error { return syscall.Mkfifo(filepath.Join(m, "evil"), 0o600) },
		"large":    func(m string) error { return os.Truncate(filepath.Join(m, "left", "left.js"), 1<<30) },
		"deep": func(m string) error {
			return os.MkdirAll(filepath.Join(m, strings.Repeat("d/", maxTreeDepth+2)), 0o700)
		},
		"notes of elsewhere": func(m string) error {
			return os.WriteFile(filepath.Join(m, hiddenLock), []byte(`{"packages":{"../left":{}}}`), 0o600)
		},
		"linked notes": func(m string) error {
			return os.WriteFile(filepath.Join(m, hiddenLock), []byte(`{"packages":{"node_modules/left":{"link":true}}}`), 0o600)
		},
		"no notes": func(m string) error { return os.Remove(filepath.Join(m, hiddenLock)) },
		"a link for all": func(m string) error {
			elsewhere := filepath.Join(filepath.Dir(filepath.Dir(m)), "elsewhere")
			return errors.Join(os.Rename(m, elsewhere), os.Symlink(elsewhere, m))
		},
	} {
		dir, trees := installed(t)
		if err := harm(filepath.Join(dir, modules)); err != nil {
			t.Fatal(err)
		}
		if err := trees.keep(testKey, dir, 1<<20, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
		if left, err := os.ReadDir(string(trees)); err != nil || len(left) > 0 {
			t.Errorf("%s: left are %v, %v", name, left, err)
		}
	}
}

func TestKeepTakesOnlyTheAppsOwnFiles(t *testing.T) {
	t.Parallel()
	dir, trees := installed(t)
	uid := uint32(os.Getuid()) //nolint:gosec // a uid fits
	stranger := &syscall.Credential{Uid: uid + 1, Gid: uid + 1}
	if err := trees.keep(testKey, dir, 1<<20, stranger); !errors.Is(err, errTree) {
		t.Errorf("another's files: %v", err)
	}
	if err := trees.keep(testKey, dir, 1<<20, &syscall.Credential{Uid: uid}); err != nil {
		t.Errorf("its own: %v", err)
	}
}

func TestKeepMakesPlainFiles(t *testing.T) {
	t.Parallel()
	dir, trees := installed(t)
	script := filepath.Join(dir, modules, "left", "run.sh")
	if err := os.WriteFile(script, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(script, 0o777|os.ModeSetuid); err != nil { //nolint:gosec // what must not be kept
		t.Fatal(err)
	}
	if err := trees.keep(testKey, dir, 1<<20, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"left/run.sh": 0o555, "left/left.js": 0o444, hiddenLock: 0o444} {
		info, err := os.Stat(trees.path(testKey, modules, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, want %v; %v", name, info.Mode(), want, err)
		}
	}
	if info, err := os.Stat(string(trees)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the trees' folder: %v, %v", info.Mode(), err)
	}
}

// A second build of the same key finds the first one's tree in its place.
func TestKeepTwice(t *testing.T) {
	t.Parallel()
	dir, trees := installed(t)
	for range 2 {
		if err := trees.keep(testKey, dir, 1<<20, nil); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(string(trees)); err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestKeepLeavesOutWhatHasScripts(t *testing.T) {
	t.Parallel()
	dir, trees := installed(t)
	for _, name := range []string{"made/node_modules/inner", "outer/node_modules/made", "@scope/made"} {
		if err := os.MkdirAll(filepath.Join(dir, modules, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	notes := `{"lockfileVersion":3,"packages":{"node_modules/left":{},
		"node_modules/made":{"hasInstallScript":true},"node_modules/made/node_modules/inner":{},
		"node_modules/outer":{},"node_modules/outer/node_modules/made":{"hasInstallScript":true},
		"node_modules/@scope/made":{"hasInstallScript":true}}}`
	if err := os.WriteFile(filepath.Join(dir, modules, hiddenLock), []byte(notes), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := trees.keep(testKey, dir, 1<<20, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"left": true, "outer": true, "made": false, "outer/node_modules/made": false, "@scope/made": false,
	} {
		if _, err := os.Stat(trees.path(testKey, modules, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := os.ReadFile(trees.path(testKey, modules, hiddenLock))
	if want := `{"lockfileVersion":3,"packages":{"node_modules/left":{},"node_modules/outer":{}}}`; err != nil || string(text) != want {
		t.Errorf("notes %s, %v", text, err)
	}
	if scripts, err := trees.scripted(testKey); err != nil || !scripts {
		t.Errorf("scripts to run: %v, %v", scripts, err)
	}
}

// What the app makes in the middle can't lead the server's writes elsewhere.
func TestGiveReplacesALink(t *testing.T) {
	t.Parallel()
	dir, trees := installed(t)
	if err := trees.keep(testKey, dir, 1<<20, nil); err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, modules)), os.Symlink(elsewhere, filepath.Join(dir, modules))); err != nil {
		t.Fatal(err)
	}
	if err := trees.give(testKey, dir, false, nil); err != nil {
		t.Fatal(err)
	}
	if within, err := os.ReadDir(elsewhere); err != nil || len(within) != 1 {
		t.Errorf("elsewhere is %v, %v", within, err)
	}
	if info, err := os.Lstat(filepath.Join(dir, modules)); err != nil || !info.IsDir() {
		t.Errorf("installed is %v, %v", info.Mode(), err)
	}
}
