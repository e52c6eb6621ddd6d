package builds

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// maxLock is the largest lockfile that is read for its key, in bytes.
const maxLock = 32 << 20

// lockfiles are the lockfiles of npm, the one that it prefers first.
var lockfiles = []string{"npm-shrinkwrap.json", "package-lock.json"} //nolint:gochecknoglobals // a table

// installFields are what `npm ci` reads of package.json, besides its scripts.
var installFields = []string{ //nolint:gochecknoglobals // a table
	"dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta",
	"bundleDependencies", "bundledDependencies", "overrides", "workspaces", "allowScripts",
	"engines", "devEngines", "os", "cpu", "libc",
}

// lifecycle are the scripts of an app's own that npm runs after it installed.
// See docs.npmjs.com, "npm ci" in "scripts".
var lifecycle = []string{ //nolint:gochecknoglobals // a table
	"install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare",
}

// want is what a build asks of a tree of dependencies.
type want struct {
	key     string // of the tree
	lock    string // name of the lockfile
	scripts bool   // the app has scripts of its own that run after an install
}

// identity is all that the content of a tree follows from. Its hash is the key.
type identity struct {
	Layout   int // of the trees; another one after each change of what is kept
	Node     string
	Arch     string
	User     int64 // -1: the server's own
	Registry string
	Env      map[string]string
	Fields   map[string]json.RawMessage
	Scripts  map[string]string
	Files    map[string][]byte // nil where there is none
}

// wants returns what the app in dir asks for; false where its dependencies
// can't be shared. They can where the lockfile names each package by a hash of
// its content, as then the tree is that of any other build with that lockfile:
// not so for folders (file:, workspaces), for what git has (npm builds it
// with scripts), and for a lockfile of npm 6 and before, which tells too little.
// A preinstall script may change what there is to install, so it is no case
// either.
func (b *Builder) wants(dir string, n node, as *syscall.Credential) (want, bool) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return want{}, false
	}
	defer root.Close() //nolint:errcheck // only read
	i := identity{
		Layout: 1, Node: n.version.String(), Arch: runtime.GOARCH, User: -1,
		Registry: b.o.Registry, Env: b.o.Env,
		Fields: map[string]json.RawMessage{}, Scripts: map[string]string{}, Files: map[string][]byte{},
	}
	if as != nil {
		i.User = int64(as.Uid)
	}
	var w want
	for _, name := range append([]string{".npmrc"}, lockfiles...) {
		text, err := readFile(root, name, maxLock)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return want{}, false
		}
		i.Files[name] = text
		if w.lock == "" && name != ".npmrc" {
			w.lock = name
		}
	}
	text, err := readFile(root, "package.json", maxPackage)
	var fields map[string]json.RawMessage
	if err != nil || json.Unmarshal(bytes.TrimPrefix(text, []byte(bom)), &fields) != nil {
		return want{}, false
	}
	for _, name := range installFields {
		if field := fields[name]; field != nil {
			i.Fields[name] = field
		}
	}
	scripts := object(fields["scripts"])
	if word(scripts["preinstall"]) != "" || !empty(fields["workspaces"]) || !pinned(i.Files[w.lock]) {
		return want{}, false
	}
	for _, name := range lifecycle {
		if text := word(scripts[name]); text != "" {
			i.Scripts[name], w.scripts = text, true
		}
	}
	if _, err := root.Lstat("binding.gyp"); err == nil {
		w.scripts = true // npm then runs node-gyp
	}
	text, err = json.Marshal(i)
	if err != nil {
		return want{}, false
	}
	sum := sha256.Sum256(text)
	w.key = hex.EncodeToString(sum[:])
	return w, true
}

// locked is a package in a lockfile. See docs.npmjs.com, "package-lock.json".
type locked struct {
	Link             bool   `json:"link"`
	InBundle         bool   `json:"inBundle"`
	Resolved         string `json:"resolved"`
	Integrity        string `json:"integrity"`
	HasInstallScript bool   `json:"hasInstallScript"`
}

// pinned tells whether a lockfile names each package by its content, and has
// some. Those that are bundled come in another one's archive.
func pinned(text []byte) bool {
	var lock struct {
		Packages map[string]locked `json:"packages"`
	}
	if json.Unmarshal(text, &lock) != nil {
		return false
	}
	some := false
	for place, p := range lock.Packages {
		if place == "" {
			continue // the app itself
		}
		remote := p.Resolved == "" || strings.HasPrefix(p.Resolved, "https://") || strings.HasPrefix(p.Resolved, "http://")
		if p.Link || !strings.HasPrefix(place, modules+"/") || !p.InBundle && (p.Integrity == "" || !remote) {
			return false
		}
		some = true
	}
	return some
}
