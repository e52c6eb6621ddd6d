package project

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// outputs are the folders that builds write servers to.
var outputs = []string{"dist", "build", "out"} //nolint:gochecknoglobals // a table

// notServed are folders in them that have no code of a server.
var notServed = []string{"node_modules", "client", "public", "static", "assets", "test", "tests", "__tests__"} //nolint:gochecknoglobals // a table

// imported matches an import that is done when a module is loaded, with the name of a
// package. One by import() may be in a branch that is for development.
var imported = regexp.MustCompile(`(?:\bfrom|\bimport|\brequire\()\s*["']((?:@[\w.-]+/)?\w[\w.-]*)(?:/[^"'\n]*)?["']`)

// builtin are modules of Node.js that are also the names of packages for browsers.
var builtin = strings.Fields("assert buffer console constants crypto domain events fs http https module net os path process punycode querystring stream string_decoder sys timers tty url util vm zlib") //nolint:gochecknoglobals // a table

// Limits of what is read to find imports.
const (
	maxOutput  = 4 << 20  // bytes of a file
	maxOutputs = 32 << 20 // bytes of all
)

// keepImported sets KeepDev if a server that the build made imports a package that would be
// removed with the development dependencies, as bundlers leave imports of packages in
// what they make for servers. top is the folder that was built.
func (p Project) keepImported(top *os.Root, s *Start) {
	if s.KeepDev || s.Static != "" || p.Manager.PnP || !p.hasDev() {
		return
	}
	found := p.imports(top)
	stay := p.staying(top)
	for _, file := range slices.Sorted(maps.Keys(found)) {
		for _, name := range found[file] {
			if !stay[name] && p.installed(top, name) != "" {
				s.KeepDev = true
				s.Notes = append(s.Notes, "The development dependencies are kept, as "+file+", which the build made, imports "+name+": add that to the dependencies")
				return
			}
		}
	}
}

// imports returns the names of the packages that built files import, by file.
func (p Project) imports(top *os.Root) map[string][]string {
	found := map[string][]string{}
	total := 0
	for _, output := range outputs {
		// What can't be read is not imported.
		_ = fs.WalkDir(top.FS(), path.Join(p.App.Dir, output), func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil || total > maxOutputs:
				return fs.SkipDir
			case entry.IsDir():
				if slices.Contains(notServed, entry.Name()) || strings.HasPrefix(entry.Name(), ".") {
					return fs.SkipDir
				}
				return nil
			case !slices.Contains([]string{".js", ".mjs", ".cjs"}, path.Ext(name)), strings.Contains(name, ".test."), strings.Contains(name, ".spec."):
				return nil
			}
			if _, err := top.Stat(path.Join(path.Dir(name), "index.html")); err == nil {
				return nil // it is for browsers
			}
			text, err := readFile(top, name, maxOutput)
			if err != nil {
				return nil //nolint:nilerr // the same
			}
			total += len(text)
			for _, match := range imported.FindAllSubmatch(text, -1) {
				if pkg := string(match[1]); !slices.Contains(builtin, pkg) {
					found[name] = append(found[name], pkg)
				}
			}
			return nil
		})
	}
	return found
}

// staying returns the packages that are there without the development dependencies: the
// other dependencies of the app and of its workspace, with theirs.
func (p Project) staying(top *os.Root) map[string]bool {
	stay := map[string]bool{}
	var add func(pkg map[string]json.RawMessage)
	add = func(pkg map[string]json.RawMessage) {
		for _, field := range []string{"dependencies", "optionalDependencies", "peerDependencies"} {
			for name := range words(pkg[field]) {
				if stay[name] {
					continue
				}
				stay[name] = true
				var next map[string]json.RawMessage
				text, err := readFile(top, path.Join(p.installed(top, name), "package.json"), maxPackage)
				if err == nil && json.Unmarshal(text, &next) == nil {
					add(next)
				}
			}
		}
	}
	add(p.App.Package.raw)
	add(p.Workspace.Package.raw)
	return stay
}

// installed returns the folder of a package that the app finds; "" if there is none.
func (p Project) installed(top *os.Root, name string) string {
	for _, dir := range []string{p.App.Dir, p.Workspace.Dir} {
		at := path.Join(dir, "node_modules", name)
		if _, err := top.Stat(at); err == nil {
			return at
		}
	}
	return ""
}
