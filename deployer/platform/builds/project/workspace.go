package project

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Member is a package of a workspace.
type Member struct {
	Dir     string // below the tree, "." for the top
	Package Package
}

const (
	maxMembers = 1000
	maxLooked  = 20_000 // entries of folders that are looked at for members
	maxBelow   = 8      // folders below the workspace
)

// patternsOf returns the patterns of the members of a workspace at dir; none
// if there is no workspace.
func patternsOf(root *os.Root, dir string, p Package) ([]string, error) {
	text, err := readOptional(root, path.Join(dir, "pnpm-workspace.yaml"))
	if err != nil {
		return nil, err
	}
	if found := topLevel(text)["packages"]; len(found) > 0 {
		return found, nil
	}
	return p.Workspaces, nil
}

// isMember reports whether a folder, relative to the workspace's, is one of
// its members by the patterns.
func isMember(patterns []string, dir string) bool {
	in := false
	for _, pattern := range patterns {
		pattern, out := strings.CutPrefix(pattern, "!")
		pattern = strings.Trim(path.Clean(pattern), "/")
		if matches(strings.Split(pattern, "/"), strings.Split(dir, "/")) {
			in = !out
		}
	}
	return in
}

// matches reports whether parts of a path match those of a pattern, where "**"
// stands for any number of them.
func matches(pattern, parts []string) bool {
	if len(pattern) == 0 {
		return len(parts) == 0
	}
	if pattern[0] == "**" {
		return matches(pattern[1:], parts) || len(parts) > 0 && matches(pattern, parts[1:])
	}
	if len(parts) == 0 {
		return false
	}
	ok, err := path.Match(pattern[0], parts[0])
	return ok && err == nil && matches(pattern[1:], parts[1:])
}

// members returns the members of the workspace at dir, by path.
func members(root *os.Root, dir string, patterns []string) ([]Member, error) {
	var found []Member
	looked := 0
	err := fs.WalkDir(root.FS(), dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil //nolint:nilerr // what can't be read has no members
		}
		below := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
		looked++
		switch base := path.Base(name); {
		case looked > maxLooked || len(found) >= maxMembers:
			return fs.SkipAll
		case below == "" || name == ".":
			return nil
		case base == "node_modules" || strings.HasPrefix(base, ".") || strings.Count(below, "/") >= maxBelow:
			return fs.SkipDir
		}
		if !isMember(patterns, below) {
			return nil
		}
		p, err := readPackage(root, name)
		switch {
		case err == nil:
			found = append(found, Member{name, p})
		case !isMissing(err):
			return err
		}
		return nil
	})
	return found, err
}

// closure returns the members that an app needs, itself as the last one, each
// after those that it depends on.
func closure(app Member, all []Member) []Member {
	byName := map[string]Member{}
	for _, m := range all {
		byName[m.Package.Name] = m
	}
	var ordered []Member
	visited := map[string]bool{}
	var visit func(m Member)
	visit = func(m Member) {
		if visited[m.Dir] {
			return
		}
		visited[m.Dir] = true
		names := make([]string, 0, len(m.Package.Dependencies)+len(m.Package.DevDependencies))
		for name := range m.Package.Dependencies {
			names = append(names, name)
		}
		for name := range m.Package.DevDependencies {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if needed, ok := byName[name]; ok && name != "" {
				visit(needed)
			}
		}
		ordered = append(ordered, m)
	}
	visit(app)
	return ordered
}
