package builds

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/nodejitsu/webhooks/deployer/platform/builds/depcache"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
)

const (
	modules = "node_modules"
	maxLock = 64 << 20 // bytes of a lockfile that is read for its key
)

// installFields are the fields of package.json, besides its scripts, that affect an
// installation.
var installFields = []string{ //nolint:gochecknoglobals // a table
	"name", "dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "peerDependenciesMeta",
	"dependenciesMeta", "bundleDependencies", "bundledDependencies", "overrides", "resolutions", "workspaces", "allowScripts",
	"engines", "devEngines", "os", "cpu", "libc", "pnpm", "packageManager", "installConfig",
}

// installFiles are the files besides package.json that affect an installation.
var installFiles = []string{ //nolint:gochecknoglobals // a table
	"npm-shrinkwrap.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml",
	".npmrc", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", ".pnpmfile.cjs", ".pnpmfile.mjs", "pnpmfile.js",
}

// identity is everything that determines the installed dependencies.
type identity struct {
	Layout   int // version of the cache's layout
	Node     string
	Arch     string
	User     int64 // -1: the server's user
	Manager  string
	Args     []string
	Env      []map[string]string
	Settings settings
	Packages map[string]map[string]json.RawMessage // by folder
	Scripts  map[string]map[string]string          // those that an install runs, by folder
	Files    map[string][]byte
}

// key returns the key of the dependencies, or false if they can't be reused. They
// can be reused if the lockfile identifies each package by its hash or git commit,
// so that all builds with that lockfile have the same dependencies. They can't be
// reused if a package is a copied folder, or if scripts of the app affect the
// installation or must run in several folders.
func (g *building) key(ctx context.Context) (string, bool) {
	root, err := os.OpenRoot(g.Dir)
	if err != nil {
		return "", false
	}
	defer root.Close() //nolint:errcheck // only read
	i := identity{
		Layout: 2, Node: g.node.version.String(), Arch: runtime.GOARCH, User: -1,
		Manager: g.manager.Name + "@" + g.manager.Version, Args: g.plan.Install,
		Env: []map[string]string{g.o.Env, g.plan.Env, g.env}, Packages: map[string]map[string]json.RawMessage{}, Scripts: map[string]map[string]string{}, Files: map[string][]byte{},
	}
	if i.Settings, err = g.readSettings(ctx); err != nil {
		return "", false // the installation reports it
	}
	if g.Credential != nil {
		i.User = int64(g.Credential.Uid)
	}
	if !g.plain() {
		return "", false
	}
	for _, m := range append([]project.Member{g.project.App, g.project.Workspace}, g.project.Members...) {
		i.Packages[m.Dir], i.Scripts[m.Dir] = m.Package.Fields(installFields...), m.Package.Lifecycle()
	}
	for _, name := range installFiles {
		text, err := readFile(root, path.Join(g.project.Workspace.Dir, name), maxLock)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", false
		}
		i.Files[name] = text
	}
	if !pinned(g.manager.Name, i.Files[g.manager.Lockfile]) {
		return "", false
	}
	key, err := depcache.Key(i)
	return key, err == nil
}

// plain reports whether the app's own scripts do not affect the dependencies.
func (g *building) plain() bool {
	p := g.project
	if g.manager.Lockfile == "" || p.Native || p.Workspace.Package.Script("preinstall") != "" {
		return false
	}
	for _, m := range p.Members {
		if m.Dir != p.Workspace.Dir && len(m.Package.Lifecycle()) > 0 {
			return false
		}
	}
	return true
}

// places returns the paths of the installed dependencies, below the build's folder.
func (g *building) places() []string {
	at := g.project.Workspace.Dir
	places := []string{path.Join(at, modules)}
	for _, m := range g.project.Members {
		if place := path.Join(m.Dir, modules); !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	if g.manager.Berry() {
		for _, name := range []string{".pnp.cjs", ".pnp.data.json", ".pnp.loader.mjs", ".yarn/cache", ".yarn/unplugged", ".yarn/install-state.gz", ".yarn/build-state.yml"} {
			places = append(places, path.Join(at, name))
		}
	}
	return places
}

// copied matches a dependency that is a copied folder of the repository.
var copied = regexp.MustCompile(`\b(file|portal|directory):`)

// pinned reports whether a lockfile has packages and identifies all of them by
// their content.
func pinned(manager string, text []byte) bool {
	if manager != project.Npm {
		return len(text) > 0 && !copied.Match(text)
	}
	return pinnedByNpm(text)
}

// gitCommit is the end of a package's address in a repository of git.
var gitCommit = regexp.MustCompile(`#[0-9a-f]{40}$`)

// pinnedByNpm is pinned for a lockfile of npm 7 or later; older lockfiles lack the
// information (docs.npmjs.com, "package-lock.json").
func pinnedByNpm(text []byte) bool {
	var lock struct {
		Packages map[string]struct {
			Link, InBundle, HasInstallScript bool
			Resolved, Integrity              string
		}
	}
	if json.Unmarshal(text, &lock) != nil {
		return false
	}
	some := false
	for place, p := range lock.Packages {
		remote := p.Resolved == "" || strings.HasPrefix(p.Resolved, "https://") || strings.HasPrefix(p.Resolved, "http://")
		switch {
		case place == "" || p.Link:
			// The app itself, or a link to a folder of the repository.
		case !strings.HasPrefix(place, modules+"/"):
			if p.HasInstallScript || strings.Contains(place, "/"+modules+"/") && !p.InBundle && p.Integrity == "" {
				return false
			}
		case p.InBundle || p.Integrity != "" && remote || gitCommit.MatchString(p.Resolved):
			// A bundled package is part of another package's archive.
			some = true
		default:
			return false
		}
	}
	return some
}

// readFile reads a regular file of at most limit bytes.
func readFile(root *os.Root, name string, limit int64) ([]byte, error) {
	// A running app has the same user and may have created a pipe there.
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, errors.New("not a regular file, or too large")
	}
	return io.ReadAll(io.LimitReader(file, limit))
}
