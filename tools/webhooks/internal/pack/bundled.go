package pack

import (
	"encoding/json"
	"path"
	"slices"
)

// bundled returns the folders of the packages that package.json says are to be
// packed, and of those that they need, as far as they are installed.
func (f *Folder) bundled() map[string]bool {
	found := map[string]bool{}
	var add func(from, name string)
	add = func(from, name string) {
		for {
			dir := path.Join(from, modules, name)
			if text, err := readSmall(f.root, path.Join(dir, manifestName)); err == nil {
				if !found[dir] {
					found[dir] = true
					for _, needed := range dependencies(text) {
						add(dir, needed)
					}
				}
				return
			}
			// As node looks for it: in the folders above.
			if from == "." {
				return
			}
			from = path.Dir(from)
		}
	}
	for _, name := range f.Manifest.bundle {
		add(".", name)
	}
	return found
}

// modules is the folder of installed packages.
const modules = "node_modules"

// dependencies returns the names of what a package needs to run.
func dependencies(text []byte) []string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return nil
	}
	var names []string
	for _, field := range []string{"dependencies", "optionalDependencies"} {
		for name := range loosely[map[string]string](fields[field]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// bundle returns the names in the field bundleDependencies, in either spelling;
// true stands for all dependencies.
func bundle(fields map[string]json.RawMessage, text []byte) []string {
	for _, name := range []string{"bundleDependencies", "bundledDependencies"} {
		if loosely[bool](fields[name]) {
			return dependencies(text)
		}
		if names := loosely[[]string](fields[name]); names != nil {
			return names
		}
	}
	return nil
}
