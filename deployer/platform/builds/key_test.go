package builds

import (
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/Masterminds/semver/v3"
)

// appWith makes an app's folder of files.
func appWith(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const lockLeft = `{"packages":{"":{},"node_modules/left":{"resolved":"https://r/left.tgz","integrity":"sha512-x"}}}`

func TestKeyFollowsFromAllThatMatters(t *testing.T) {
	t.Parallel()
	files := map[string]string{"package.json": `{"name":"a","dependencies":{"left":"1"}}`, "package-lock.json": lockLeft}
	key := func(o Options, node node, as *syscall.Credential, change map[string]string) string {
		t.Helper()
		all := maps.Clone(files)
		maps.Copy(all, change)
		w, ok := New(o).wants(appWith(t, all), node, as)
		if !ok || !treeName.MatchString(w.key) {
			t.Fatalf("with %v: %+v, %v", change, w, ok)
		}
		return w.key
	}
	v20, v22 := node{version: semver.MustParse("20.1.0")}, node{version: semver.MustParse("22.1.0")}
	first := key(Options{}, v20, nil, nil)
	for name, same := range map[string]map[string]string{
		"nothing":    nil,
		"the app":    {"x.js": ""},
		"its name":   {"package.json": `{"name":"b","version":"2","scripts":{"start":"x"},"dependencies":{"left":"1"}}`},
		"the layout": {"package.json": "\xef\xbb\xbf" + `{ "dependencies": { "left": "1" } }`},
	} {
		if got := key(Options{}, v20, nil, same); got != first {
			t.Errorf("another key by %s", name)
		}
	}
	keys := map[string]string{first: "none"}
	for name, got := range map[string]string{
		"node":         key(Options{}, v22, nil, nil),
		"user":         key(Options{}, v20, &syscall.Credential{Uid: 1}, nil),
		"other user":   key(Options{}, v20, &syscall.Credential{Uid: 2}, nil),
		"registry":     key(Options{Registry: "http://x"}, v20, nil, nil),
		"environment":  key(Options{Env: map[string]string{"npm_config_omit": ""}}, v20, nil, nil),
		".npmrc":       key(Options{}, v20, nil, map[string]string{".npmrc": ""}),
		"lockfile":     key(Options{}, v20, nil, map[string]string{"package-lock.json": lockLeft + " "}),
		"shrinkwrap":   key(Options{}, v20, nil, map[string]string{"npm-shrinkwrap.json": lockLeft}),
		"dependencies": key(Options{}, v20, nil, map[string]string{"package.json": `{"dependencies":{"left":"2"}}`}),
		"overrides":    key(Options{}, v20, nil, map[string]string{"package.json": `{"dependencies":{"left":"1"},"overrides":{}}`}),
		"script":       key(Options{}, v20, nil, map[string]string{"package.json": `{"dependencies":{"left":"1"},"scripts":{"prepare":"x"}}`}),
	} {
		if twin, ok := keys[got]; ok {
			t.Errorf("the same key for %s and %s", name, twin)
		}
		keys[got] = name
	}
}

func TestWhatCantBeShared(t *testing.T) {
	t.Parallel()
	const pkg = `{"dependencies":{"left":"1"}}`
	lock := func(place, entry string) string {
		return `{"packages":{"":{},"` + place + `":` + entry + `,"node_modules/ok":{"resolved":"https://r/x","integrity":"sha512-x"}}}`
	}
	for name, test := range map[string]struct {
		pkg, lock string
		want      bool
	}{
		"a registry's":         {pkg, lockLeft, true},
		"without an address":   {pkg, lock("node_modules/left", `{"integrity":"sha512-x"}`), true},
		"bundled":              {pkg, lock("node_modules/left/node_modules/b", `{"inBundle":true}`), true},
		"a folder":             {pkg, lock("node_modules/left", `{"resolved":"left","link":true}`), false},
		"a folder's place":     {pkg, lock("left", `{}`), false},
		"a file":               {pkg, lock("node_modules/left", `{"resolved":"file:left.tgz","integrity":"sha512-x"}`), false},
		"git":                  {pkg, lock("node_modules/left", `{"resolved":"git+ssh://git@h/left.git#1"}`), false},
		"git with a hash":      {pkg, lock("node_modules/left", `{"resolved":"git+ssh://git@h/left.git#1","integrity":"sha512-x"}`), false},
		"no hash":              {pkg, lock("node_modules/left", `{"resolved":"https://r/left.tgz"}`), false},
		"nothing":              {pkg, `{"packages":{"":{}}}`, false},
		"of an old npm":        {pkg, `{"lockfileVersion":1,"dependencies":{"left":{"integrity":"sha512-x"}}}`, false},
		"no JSON":              {pkg, "x", false},
		"no package.json":      {"x", lockLeft, false},
		"workspaces":           {`{"workspaces":["a"]}`, lockLeft, false},
		"a script before":      {`{"scripts":{"preinstall":"x"}}`, lockLeft, false},
		"scripts that are not": {`{"scripts":{"preinstall":""},"workspaces":[]}`, lockLeft, true},
	} {
		dir := appWith(t, map[string]string{"package.json": test.pkg, "package-lock.json": test.lock})
		if _, ok := New(Options{}).wants(dir, node{version: semver.MustParse("20.1.0")}, nil); ok != test.want {
			t.Errorf("%s: shared is %v", name, ok)
		}
	}
	dir := appWith(t, map[string]string{"package.json": pkg})
	if _, ok := New(Options{}).wants(dir, node{version: semver.MustParse("20.1.0")}, nil); ok {
		t.Error("shared without a lockfile")
	}
	// An app that runs may put a pipe there: nobody must wait for who writes to it.
	if err := syscall.Mkfifo(filepath.Join(dir, "package-lock.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := New(Options{}).wants(dir, node{version: semver.MustParse("20.1.0")}, nil); ok {
		t.Error("shared with a pipe for a lockfile")
	}
}
