package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// check returns every reason why the workspace cannot be released, each with
// its remedy.
func (w *workspace) check() error {
	if w.work.Go == nil || w.version() == "" {
		return errors.New("go.work has no go line, or no module requires another: nothing to release")
	}
	problems := slices.Concat(w.checkModules(), w.checkReplaces(), w.checkThirdParty(), w.checkChangelog(), w.checkAPI())
	if len(problems) > 0 {
		return fmt.Errorf("%s can not be released:\n%w", w.version(), errors.Join(problems...))
	}
	return nil
}

func (w *workspace) checkModules() []error {
	var problems []error
	for _, m := range w.modules {
		complain := func(format string, args ...any) {
			problems = append(problems, fmt.Errorf(m.dir+"/go.mod: "+format, args...))
		}
		if m.mod.Module == nil || m.mod.Module.Mod.Path != m.path() {
			complain("the module must be called %s", m.path())
		}
		if m.mod.Go == nil || m.mod.Go.Version != w.work.Go.Version {
			complain("the go line must say go %s, as go.work does", w.work.Go.Version)
		}
		if m.mod.Toolchain != nil {
			complain("remove the toolchain line")
		}
		for _, r := range m.mod.Replace {
			complain("remove the replacement of %s: go install refuses it, and importers ignore it", r.Old.Path)
		}
		for _, r := range m.siblings() {
			released := slices.ContainsFunc(w.released(), func(other member) bool { return other.path() == r.Path })
			switch {
			case !released:
				complain("requires %s, which is not released", r.Path)
			case r.Version != w.version():
				complain("requires %s, others %s: run release set VERSION", r, w.version())
			}
		}
	}
	return problems
}

// checkReplaces compares the replacements in go.work with those that a build
// needs before the version is published.
func (w *workspace) checkReplaces() []error {
	var want, got []string
	for _, m := range w.released() {
		want = append(want, fmt.Sprintf("%s %s => ./%s", m.path(), w.version(), m.dir))
	}
	for _, r := range w.work.Replace {
		got = append(got, fmt.Sprintf("%s %s => %s", r.Old.Path, r.Old.Version, r.New.Path))
	}
	slices.Sort(got)
	if slices.Sort(want); slices.Equal(got, want) {
		return nil
	}
	return []error{fmt.Errorf("go.work: the replacements must be these:\n  %s", strings.Join(want, "\n  "))}
}

// checkThirdParty requires one version of each third-party module: else a
// module that is tested alone runs other code than the program does.
func (w *workspace) checkThirdParty() []error {
	first := map[string]string{} // by path: the version and the folder that it was found in first
	var problems []error
	for _, m := range w.modules {
		for _, r := range m.mod.Require {
			path, version := r.Mod.Path, r.Mod.Version
			other, folder, found := strings.Cut(first[path], " ")
			switch {
			case strings.HasPrefix(path, prefix): // checked above
			case !found:
				first[path] = version + " " + m.dir
			case other != version:
				problems = append(problems, fmt.Errorf("%s/go.mod: requires %s %s, but %s requires %s: run ./tools/alone.sh MODULE get %[2]s@VERSION, then mod tidy",
					m.dir, path, version, folder, other))
			}
		}
	}
	return problems
}

// checkChangelog requires a section that lists what changed in the version.
func (w *workspace) checkChangelog() []error {
	_, section, err := w.changelog()
	if err == nil && !strings.Contains(section, "\n- ") {
		err = fmt.Errorf("CHANGELOG.md: list what changed, in lines that begin with \"- \", in the section \"## [%s] - Unreleased\"", w.version()[1:])
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// changelog returns the heading and the text of the version's section, in the
// form of keepachangelog.com; both are empty if it has none.
func (w *workspace) changelog() (heading, section string, err error) {
	text, err := os.ReadFile(filepath.Join(w.root, "CHANGELOG.md"))
	start := regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(w.version()[1:]) + `\].*$`).FindIndex(text)
	if start == nil {
		return "", "", err
	}
	section, _, _ = strings.Cut(string(text[start[1]:]), "\n## ")
	return string(text[start[0]:start[1]]), section, nil
}
