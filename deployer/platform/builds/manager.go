package builds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/npmsemver"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
)

// manager is an installed package manager.
type manager struct {
	project.Manager
	args []string // command that runs it
	bin  string   // folder with programs that run it, by its name
}

// manager returns the package manager that an app requires, in its version.
func (b *Builder) manager(ctx context.Context, t tools, n node, asked project.Manager, out *output) (manager, error) {
	m := manager{Manager: asked}
	if asked.Name == project.Npm && asked.Version == "" {
		if v, ok := b.npmVersion(t); ok && b.suits(asked, v) {
			m.Version, m.Major = v.String(), v.Major
			return b.runBy(m, node{path: t.node}, t.npmScript(), filepath.Join(b.packages(), "npm@server"))
		}
	}
	release, err := b.acquire(ctx)
	if err != nil {
		return manager{}, err
	}
	defer release()
	if err := b.choose(ctx, &m); err != nil {
		return manager{}, err
	}
	name, script := packageOf(m.Manager)
	dir, err := b.fetch(ctx, name, m.Version, out)
	if errors.Is(err, errNoPackage) {
		return manager{}, core.Errorf(core.CodePlatformBuildFailed, "there is no %s %s in the npm registry, and %s; ask for another version", m.Name, m.Version, m.Source)
	}
	if err != nil {
		return manager{}, err
	}
	program := filepath.Join(inside(dir, name), script)
	if script == "pnpm" {
		return b.runBy(m, node{}, program, dir)
	}
	runner, err := b.runner(ctx, t, n, inside(dir, name), out)
	if err != nil {
		return manager{}, err
	}
	return b.runBy(m, runner, program, dir)
}

// npmVersion returns the version of the server's own npm.
func (b *Builder) npmVersion(t tools) (npmsemver.Version, bool) {
	return npmsemver.ParseVersion(manifest(filepath.Dir(filepath.Dir(t.npmScript()))).Version)
}

// suits reports whether a version is in both the required and the preferred range.
func (b *Builder) suits(m project.Manager, v npmsemver.Version) bool {
	for _, text := range []string{m.Range, m.Prefer} {
		if r, err := npmsemver.ParseRange(text); err != nil || !r.Contains(v) {
			return false
		}
	}
	return true
}

// choose sets the version: one of the range that was fetched before, or else the
// newest of the range, if possible a preferred one.
func (b *Builder) choose(ctx context.Context, m *manager) error {
	defer func() {
		major, _, _ := strings.Cut(m.Version, ".")
		_, _ = fmt.Sscan(major, &m.Major)
	}()
	if m.Version != "" {
		return nil
	}
	name, _ := packageOf(m.Manager)
	for _, v := range b.fetched(name) {
		if b.suits(m.Manager, v) {
			m.Version = v.String()
			return nil
		}
	}
	versions, err := b.versions(ctx, name)
	if err != nil {
		return err
	}
	allowed, err := npmsemver.ParseRange(m.Range)
	if err != nil {
		return core.Errorf(core.CodePlatformBuildFailed, "%s, which is not a range of versions", m.Source)
	}
	for _, v := range versions {
		if b.suits(m.Manager, v) {
			m.Version = v.String()
			return nil
		}
		if m.Version == "" && allowed.Contains(v) {
			m.Version = v.String()
		}
	}
	if m.Version == "" {
		return core.Errorf(core.CodePlatformBuildFailed, "%s, and the npm registry has no such %s; ask for another version", m.Source, m.Name)
	}
	return nil
}

// packageOf returns the npm package of a package manager and the file in it to run:
// a script for node, or for pnpm 12 an executable.
func packageOf(m project.Manager) (name, script string) {
	switch {
	case m.Name == project.Npm:
		return "npm", "bin/npm-cli.js"
	case m.Name == project.Yarn && m.Major < 2:
		return "yarn", "bin/yarn.js"
	case m.Name == project.Yarn:
		return "@yarnpkg/cli-dist", "bin/yarn.js"
	case m.Major >= 12:
		arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
		if arch == "" {
			arch = runtime.GOARCH
		}
		return "@pnpm/exe.linux-" + arch, "pnpm"
	case m.Major >= 11:
		return "pnpm", "bin/pnpm.mjs"
	}
	return "pnpm", "bin/pnpm.cjs"
}

// manifest returns the version and engines of a package.json.
func manifest(dir string) (m struct {
	Version string
	Engines struct{ Node string }
},
) {
	text, err := os.ReadFile(filepath.Join(dir, "package.json")) //nolint:gosec // fetched, or the operator's
	if err == nil {
		_ = json.Unmarshal(text, &m) // an invalid file has no requirements
	}
	return m
}

// runner returns a Node.js that can run the package manager in dir: the app's or
// the server's if possible, or else a fetched one. The caller must have acquired
// the cache.
func (b *Builder) runner(ctx context.Context, t tools, n node, dir string, out *output) (node, error) {
	text := manifest(dir).Engines.Node
	asked, err := project.AskNode(text, "engines.node of the package manager")
	if err != nil || text == "" {
		return n, nil //nolint:nilerr // no valid requirement
	}
	if asked.Matches(n.version) {
		return n, nil
	}
	if own, err := version(ctx, t.node); err == nil && asked.Matches(own.version) {
		return own, nil
	}
	return b.fetchNode(ctx, asked, out)
}

// binPrefix begins the name of a folder with programs that run a package manager. The
// version of the Node.js that runs it follows.
const binPrefix = "bin-"

// runBy completes a package manager that is run by a Node.js, or directly if by is
// zero, and writes the programs that scripts call by its name.
func (b *Builder) runBy(m manager, by node, program, dir string) (manager, error) {
	m.args = []string{program}
	if by.path != "" {
		m.args = []string{by.path, program}
	}
	m.bin = filepath.Join(dir, binPrefix+by.version.String())
	names := map[string]string{m.Name: program}
	switch m.Name {
	case project.Npm:
		names["npx"] = filepath.Join(filepath.Dir(program), "npx-cli.js")
	case project.Yarn:
		names["yarnpkg"] = program
	}
	if err := os.MkdirAll(m.bin, 0o755); err != nil { //nolint:gosec // apps run what is in it
		return manager{}, fmt.Errorf("builds: creating the folder for %s: %w", m.Name, err)
	}
	for name, script := range names {
		if err := writeProgram(filepath.Join(m.bin, name), by.path, script); err != nil {
			return manager{}, fmt.Errorf("builds: writing %s: %w", name, err)
		}
	}
	return m, nil
}
