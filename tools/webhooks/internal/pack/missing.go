package pack

import (
	"path"
	"slices"
	"strings"
)

// unpacked returns the files that the start command names, that are in the
// folder, and that are not packed. If there is a build script, it may make them
// on the platform.
func (f *Folder) unpacked() []string {
	if f.Manifest.builds {
		return nil
	}
	var missing []string
	for _, word := range strings.FieldsFunc(f.Manifest.start, func(r rune) bool { return strings.ContainsRune(" \t\"'`;&|()<>=", r) }) {
		name := path.Clean(strings.TrimPrefix(word, "./"))
		if name == "." || path.IsAbs(name) || strings.HasPrefix(name, "..") || strings.HasPrefix(name, "-") {
			continue
		}
		for _, file := range []string{name, name + ".js", name + "/index.js"} {
			info, err := f.root.Stat(file)
			if err != nil || !info.Mode().IsRegular() || slices.Contains(missing, file) {
				continue
			}
			if !slices.ContainsFunc(f.Files, func(packed File) bool { return packed.Path == file }) {
				missing = append(missing, file)
			}
			break
		}
	}
	return missing
}
