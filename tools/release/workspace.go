package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// prefix begins the path of every module of the workspace; its folder follows.
const prefix = "github.com/nodejitsu/webhooks/"

// A workspace is a go.work file and the modules that it uses.
type workspace struct {
	root    string
	work    *modfile.WorkFile
	modules []member
}

// A member is a module of the workspace.
type member struct {
	dir string // its folder below the root, and the end of its path
	mod *modfile.File
}

// open reads go.work in root and the go.mod of every module that it uses.
func open(root string) (*workspace, error) {
	w := &workspace{root: root}
	data, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		return nil, err
	}
	if w.work, err = modfile.ParseWork("go.work", data, nil); err != nil {
		return nil, err
	}
	for _, use := range w.work.Use {
		name := filepath.Join(root, use.Path, "go.mod")
		data, err := os.ReadFile(name) //nolint:gosec // the root is named by the caller
		if err != nil {
			return nil, err
		}
		mod, err := modfile.Parse(name, data, nil)
		if err != nil {
			return nil, err
		}
		w.modules = append(w.modules, member{dir: filepath.ToSlash(filepath.Clean(use.Path)), mod: mod})
	}
	return w, nil
}

// version is the version that the modules require of each other, or "" if no
// module requires another. If they differ it is the first one; check reports
// the others.
func (w *workspace) version() string {
	for _, m := range w.modules {
		for _, r := range m.siblings() {
			return r.Version
		}
	}
	return ""
}

// released returns the modules that are tagged: all but tests, which is not
// imported.
func (w *workspace) released() []member {
	return slices.DeleteFunc(slices.Clone(w.modules), func(m member) bool { return m.dir == "tests" })
}

func (m member) path() string { return prefix + m.dir }

// siblings returns the modules of the workspace that m requires.
func (m member) siblings() []module.Version {
	var all []module.Version
	for _, r := range m.mod.Require {
		if strings.HasPrefix(r.Mod.Path, prefix) {
			all = append(all, r.Mod)
		}
	}
	return all
}
