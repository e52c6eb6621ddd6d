package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// set writes version as that of every sibling into every go.mod.
func (w *workspace) set(version string, out io.Writer) error {
	if semver.Canonical(version) != version {
		return &usageError{fmt.Errorf("%q is not a version: it must look like v0.2.0 or v1.0.0-rc.1", version)}
	}
	for _, m := range w.modules {
		// From v2 on a module's path ends in its major version, which is a
		// change to every import; this refuses it.
		if err := module.Check(m.path(), version); err != nil {
			return &usageError{err}
		}
	}
	for _, m := range w.modules {
		for _, r := range m.siblings() {
			if err := m.mod.AddRequire(r.Path, version); err != nil {
				return fmt.Errorf("%s/go.mod: %w", m.dir, err)
			}
		}
		if err := w.save(m); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "The modules require each other at %s now. Write its section in CHANGELOG.md: ## [%s] - Unreleased\n", version, version[1:])
	return err
}

// rounds bounds sync: tidying one module may lift what another requires, but
// a version only ever rises, so it settles soon.
const rounds = 5

// sync gives every third-party module the highest version that any go.mod has.
func (w *workspace) sync(ctx context.Context, out io.Writer) error {
	order, err := w.inOrder()
	if err != nil {
		return err
	}
	for range rounds {
		changed := false
		for _, m := range order {
			lifted, err := w.lift(m, out)
			if err != nil {
				return err
			}
			changed = changed || lifted
		}
		for _, m := range order {
			if out, err := w.goCommand(ctx, m, "mod", "tidy"); err != nil {
				return fmt.Errorf("%s: go mod tidy: %w\n%s", m.dir, err, out)
			}
		}
		if !changed {
			return nil
		}
		// Tidying rewrote the files.
		fresh, err := openWorkspace(w.root)
		if err != nil {
			return err
		}
		if order, err = fresh.inOrder(); err != nil {
			return err
		}
		*w = *fresh
	}
	return fmt.Errorf("third-party versions do not settle after %d rounds", rounds)
}

// lift raises what m requires of others to the highest version in the workspace.
func (w *workspace) lift(m *goModule, out io.Writer) (changed bool, err error) {
	all := w.thirdParty()
	for _, r := range m.mod.Require {
		versions, ok := all[r.Mod.Path]
		if !ok {
			continue // a sibling
		}
		highest := slices.MaxFunc(slices.Collect(maps.Keys(versions)), semver.Compare)
		if highest == r.Mod.Version {
			continue
		}
		if _, err := fmt.Fprintf(out, "%s: %s => %s\n", m.dir, r.Mod, highest); err != nil {
			return false, err
		}
		if err := m.mod.AddRequire(r.Mod.Path, highest); err != nil {
			return false, fmt.Errorf("%s/go.mod: %w", m.dir, err)
		}
		changed = true
	}
	if !changed {
		return false, nil
	}
	return true, w.save(m)
}
