package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// prefix begins the path of every module of the workspace; the folder follows.
const prefix = "github.com/nodejitsu/webhooks/"

// A workspace is the go.work in root and the modules beside it.
type workspace struct {
	root    string
	work    *modfile.WorkFile
	modules []*goModule // in the order of folders
}

// A goModule is one module of the workspace.
type goModule struct {
	dir string // its folder, relative to the root; the end of its path, too
	mod *modfile.File
}

// folders are the modules that there are to be. They are spelled out so that
// one which was forgotten in go.work is missed, and one that appears by accident
// is not released.
func folders() []string {
	return []string{"adapters", "core", "deployer", "httpapi", "providers", "tests", "tools"}
}

// findWorkspace opens the workspace that dir lies in.
func findWorkspace(dir string) (*workspace, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding go.work: %w", err)
	}
	for root := start; ; root = filepath.Dir(root) {
		_, err := os.Stat(filepath.Join(root, "go.work"))
		if err == nil {
			return openWorkspace(root)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("finding go.work: %w", err)
		}
		if root == filepath.Dir(root) {
			return nil, fmt.Errorf("no go.work in %s or above it: run this in the repository, or name its folder with -C", start)
		}
	}
}

// openWorkspace reads go.work and every go.mod below root.
func openWorkspace(root string) (*workspace, error) {
	w := &workspace{root: root}
	data, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		return nil, fmt.Errorf("reading the workspace: %w", err)
	}
	if w.work, err = modfile.ParseWork("go.work", data, nil); err != nil {
		return nil, fmt.Errorf("reading the workspace: %w", err)
	}
	for _, dir := range folders() {
		name := dir + "/go.mod"
		data, err := os.ReadFile(filepath.Join(root, dir, "go.mod"))
		if err != nil {
			return nil, fmt.Errorf("reading the workspace: %w", err)
		}
		mod, err := modfile.Parse(name, data, nil)
		if err != nil {
			return nil, fmt.Errorf("reading the workspace: %w", err)
		}
		if mod.Module == nil || mod.Module.Mod.Path != prefix+dir {
			return nil, fmt.Errorf("reading the workspace: %s: the module must be called %s", name, prefix+dir)
		}
		w.modules = append(w.modules, &goModule{dir: dir, mod: mod})
	}
	return w, nil
}

// version is the version that the modules require each other at, or "" if none
// requires another. Where they differ it is the first one's; check reports that.
func (w *workspace) version() string {
	for _, m := range w.modules {
		for _, r := range m.siblings() {
			return r.Version
		}
	}
	return ""
}

// inOrder returns the modules, each after the siblings it requires: their
// hashes go into its go.sum.
func (w *workspace) inOrder() ([]*goModule, error) {
	var order []*goModule
	state := make(map[string]bool) // false: being visited, true: done
	var visit func(dir string, path []string) error
	visit = func(dir string, path []string) error {
		done, seen := state[dir]
		switch {
		case done:
			return nil
		case seen:
			return fmt.Errorf("the modules require each other in a circle: %s", strings.Join(append(path, dir), " → "))
		}
		m := w.module(dir)
		if m == nil {
			return nil // checkSiblings names it
		}
		state[dir] = false
		for _, r := range m.siblings() {
			if err := visit(strings.TrimPrefix(r.Path, prefix), append(path, dir)); err != nil {
				return err
			}
		}
		state[dir] = true
		order = append(order, m)
		return nil
	}
	for _, m := range w.modules {
		if err := visit(m.dir, nil); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// module returns the module in the folder dir, or nil.
func (w *workspace) module(dir string) *goModule {
	i := slices.IndexFunc(w.modules, func(m *goModule) bool { return m.dir == dir })
	if i < 0 {
		return nil
	}
	return w.modules[i]
}

// tagged reports whether the module is released. tests is not: it has nothing
// to import, and it may lean on whatever lies beside it.
func (m *goModule) tagged() bool { return m.dir != "tests" }

func (m *goModule) path() string { return prefix + m.dir }

// siblings are the modules of the workspace that m requires.
func (m *goModule) siblings() []module.Version {
	var all []module.Version
	for _, r := range m.mod.Require {
		if strings.HasPrefix(r.Mod.Path, prefix) {
			all = append(all, r.Mod)
		}
	}
	return all
}

// text is go.mod as it has been edited.
func (m *goModule) text() ([]byte, error) {
	m.mod.Cleanup()
	data, err := m.mod.Format()
	if err != nil {
		return nil, fmt.Errorf("%s/go.mod: %w", m.dir, err)
	}
	return data, nil
}

// save writes go.mod back to its folder.
func (w *workspace) save(m *goModule) error {
	data, err := m.text()
	if err != nil {
		return err
	}
	name := filepath.Join(w.root, m.dir, "go.mod")
	if err := os.WriteFile(name, data, 0o644); err != nil { //nolint:gosec // a source file, read by everyone
		return fmt.Errorf("saving: %w", err)
	}
	return nil
}
