package project

import (
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// localPath matches the version of a dependency that is a file or a folder
// (docs.npmjs.com, "package.json", "Local Paths").
var localPath = regexp.MustCompile(`^(?:(?:file|link|portal):(?://)?|[.~]{0,2}/)`)

// CheckLocal returns an error if a dependency of the app that was built in the folder
// dir is a file or a folder that is not there. By a lockfile npm installs a link to
// nothing in that case, and the app fails only when it is started.
func (p Project) CheckLocal(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("project: opening the folder: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read
	needed, optional := words(p.App.Package.raw["dependencies"]), words(p.App.Package.raw["optionalDependencies"])
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		if !localPath.MatchString(needed[name]) || optional[name] != "" {
			continue
		}
		at := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(needed[name], "file:"), "link:"), "portal:")
		at, _, _ = strings.Cut(at, "#")
		if _, err := root.Stat(path.Join(p.App.Dir, at)); err == nil && !path.IsAbs(at) {
			continue
		}
		return failure("the dependency %s is %.200q, and there is no such file or folder in the repository; commit it, publish it as a package, or remove it from the dependencies in package.json", name, needed[name])
	}
	return nil
}
