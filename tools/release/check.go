package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// check holds the workspace to the rules of a release and returns every breach,
// joined, each with its remedy.
func (w *workspace) check(ctx context.Context) error {
	problems := slices.Concat(
		w.checkWork(),
		w.checkGoLines(),
		w.checkSiblings(),
		w.checkReplaces(),
		w.checkThirdParty(),
		w.checkChangelog(),
	)
	// Tidying an inconsistent workspace only repeats in other words what was
	// said already, at the price of seconds.
	if len(problems) == 0 {
		problems = w.checkTidy(ctx)
	}
	return errors.Join(problems...)
}

func (w *workspace) checkWork() []error {
	var problems []error
	used := make(map[string]bool)
	for _, u := range w.work.Use {
		used[strings.TrimPrefix(filepath.ToSlash(filepath.Clean(u.Path)), "./")] = true
	}
	for _, m := range w.modules {
		if !used[m.dir] {
			problems = append(problems, fmt.Errorf("go.work: does not use ./%s: add it", m.dir))
		}
		delete(used, m.dir)
	}
	for _, dir := range slices.Sorted(maps.Keys(used)) {
		problems = append(problems, fmt.Errorf("go.work: uses ./%s, which is none of the modules: remove it, or name it in tools/release", dir))
	}
	for _, r := range w.work.Replace {
		problems = append(problems, fmt.Errorf("go.work: replaces %s: only the release commit does that", r.Old.Path))
	}
	return problems
}

func (w *workspace) checkGoLines() []error {
	var problems []error
	if w.work.Go == nil {
		return []error{errors.New("go.work: has no go line")}
	}
	want := w.work.Go.Version
	if w.work.Toolchain != nil {
		problems = append(problems, errors.New("go.work: has a toolchain line: remove it"))
	}
	for _, m := range w.modules {
		switch {
		case m.mod.Go == nil:
			problems = append(problems, fmt.Errorf("%s/go.mod: has no go line: it must say go %s, as go.work does", m.dir, want))
		case m.mod.Go.Version != want:
			problems = append(problems, fmt.Errorf("%s/go.mod: says go %s: it must say go %s, as go.work does", m.dir, m.mod.Go.Version, want))
		}
		if m.mod.Toolchain != nil {
			problems = append(problems, fmt.Errorf("%s/go.mod: has a toolchain line: remove it", m.dir))
		}
	}
	return problems
}

func (w *workspace) checkSiblings() []error {
	version := w.version()
	if version == "" {
		return []error{errors.New("no module requires another: the version to release is unknown")}
	}
	var problems []error
	if _, err := w.inOrder(); err != nil {
		problems = append(problems, err)
	}
	for _, m := range w.modules {
		for _, r := range m.siblings() {
			sibling := w.module(strings.TrimPrefix(r.Path, prefix))
			switch {
			case sibling == nil:
				problems = append(problems, fmt.Errorf("%s/go.mod: requires %s, which is none of the modules", m.dir, r.Path))
			case !sibling.tagged():
				problems = append(problems, fmt.Errorf("%s/go.mod: requires %s, which is never released", m.dir, r.Path))
			case r.Version != version:
				problems = append(problems, fmt.Errorf("%s/go.mod: requires %s, others %s: run release set VERSION", m.dir, r, version))
			}
		}
	}
	return problems
}

func (w *workspace) checkReplaces() []error {
	var problems []error
	for _, m := range w.modules {
		needed := w.reachable(m)
		for _, r := range m.mod.Replace {
			dir, sibling := strings.CutPrefix(r.Old.Path, prefix)
			switch {
			case !sibling:
				problems = append(problems, fmt.Errorf("%s/go.mod: replaces %s: whoever imports the module would not get that", m.dir, r.Old.Path))
			case !needed[dir]:
				problems = append(problems, fmt.Errorf("%s/go.mod: replaces %s, which it does not require, not even indirectly: remove it", m.dir, r.Old.Path))
			case r.Old.Version != "" || r.New.Version != "" || r.New.Path != "../"+dir:
				problems = append(problems, fmt.Errorf("%s/go.mod: must replace %s => ../%s, without versions", m.dir, r.Old.Path, dir))
			}
			delete(needed, dir)
		}
		for _, dir := range slices.Sorted(maps.Keys(needed)) {
			problems = append(problems, fmt.Errorf("%s/go.mod: needs replace %s => ../%s: the version is not released yet", m.dir, prefix+dir, dir))
		}
	}
	return problems
}

// reachable returns the folders of the siblings that m requires, directly or
// through other siblings.
func (w *workspace) reachable(m *goModule) map[string]bool {
	found := make(map[string]bool)
	var visit func(*goModule)
	visit = func(from *goModule) {
		for _, r := range from.siblings() {
			dir := strings.TrimPrefix(r.Path, prefix)
			if next := w.module(dir); next != nil && !found[dir] {
				found[dir] = true
				visit(next)
			}
		}
	}
	visit(m)
	return found
}

func (w *workspace) checkThirdParty() []error {
	var problems []error
	for path, versions := range w.thirdParty() {
		if len(versions) == 1 {
			continue
		}
		var uses []string
		for _, version := range slices.Sorted(maps.Keys(versions)) {
			uses = append(uses, fmt.Sprintf("%s in %s", version, strings.Join(versions[version], ", ")))
		}
		problems = append(problems, fmt.Errorf("%s has several versions: %s: run release sync", path, strings.Join(uses, "; ")))
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return problems
}

// thirdParty maps a module of others to its versions, and each to the folders
// that require it.
func (w *workspace) thirdParty() map[string]map[string][]string {
	found := make(map[string]map[string][]string)
	for _, m := range w.modules {
		for _, r := range m.mod.Require {
			if strings.HasPrefix(r.Mod.Path, prefix) {
				continue
			}
			if found[r.Mod.Path] == nil {
				found[r.Mod.Path] = make(map[string][]string)
			}
			found[r.Mod.Path][r.Mod.Version] = append(found[r.Mod.Path][r.Mod.Version], m.dir)
		}
	}
	return found
}

func (w *workspace) checkChangelog() []error {
	version := w.version()
	if version == "" {
		return nil // said by checkSiblings
	}
	data, err := os.ReadFile(filepath.Join(w.root, "CHANGELOG.md"))
	if err != nil {
		return []error{err}
	}
	if _, err := findSection(string(data), version); err != nil {
		return []error{err}
	}
	return nil
}

func (w *workspace) checkTidy(ctx context.Context) []error {
	var problems []error
	for _, m := range w.modules {
		out, err := w.goCommand(ctx, m, "mod", "tidy", "-diff")
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: is not tidy: run GOWORK=off go mod tidy there: %w\n%s", m.dir, err, out))
		}
	}
	return problems
}

// goCommand runs go in the folder of m, outside the workspace, where a module
// has to stand on its own: inside, go.work hides a missing require.
func (w *workspace) goCommand(ctx context.Context, m *goModule, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are ours
	cmd.Dir = filepath.Join(w.root, m.dir)
	cmd.Env = append(os.Environ(), "GOWORK=off", "PWD="+cmd.Dir)
	out, err := cmd.CombinedOutput()
	return string(bytes.TrimSpace(out)), err
}
