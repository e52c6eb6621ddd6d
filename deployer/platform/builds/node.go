package builds

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/npmsemver"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
)

// fetchTries is how many versions of a range are tried: not every version was
// published for every architecture.
const fetchTries = 3

// node is an installed Node.js.
type node struct {
	path    string
	version npmsemver.Version
}

// node returns the Node.js that an app requires: the server's own if it matches, or
// another installed one, or one from the npm registry.
func (b *Builder) node(ctx context.Context, t tools, asked project.Node, out *output) (node, error) {
	for _, path := range append([]string{t.node}, b.o.Nodes...) {
		n, err := version(ctx, path)
		if err == nil && asked.Matches(n.version) {
			return n, nil
		}
		if err != nil && path == t.node {
			return node{}, fmt.Errorf("builds: asking node for its version: %w", err)
		}
	}
	release, err := b.acquire(ctx)
	if err != nil {
		return node{}, err
	}
	defer release()
	return b.fetchNode(ctx, asked, out)
}

// headers returns the variables that have node-gyp compile with the headers that came
// with the app's Node.js, which it would download from nodejs.org.
func (g *building) headers() map[string]string {
	env := map[string]string{}
	own := slices.ContainsFunc(g.npmrcs(), func(text string) bool { return strings.Contains(text, "nodedir") })
	dir := filepath.Dir(filepath.Dir(g.node.path))
	if _, err := os.Stat(filepath.Join(dir, "include", "node", "node.h")); err == nil && !own {
		env["npm_package_config_node_gyp_nodedir"] = dir
	}
	return env
}

// fetchNode returns a Node.js that was fetched before, or fetches one. The caller
// must have acquired the cache.
func (b *Builder) fetchNode(ctx context.Context, asked project.Node, out *output) (node, error) {
	name := nodePackage()
	for _, v := range b.fetched(name) {
		if n, err := version(ctx, b.nodePath(v)); err == nil && asked.Matches(v) {
			return n, nil
		}
	}
	versions, err := b.versions(ctx, name)
	if err != nil && !errors.Is(err, errNoPackage) {
		return node{}, err
	}
	tries := 0
	for _, v := range versions {
		if !asked.Matches(v) {
			continue
		}
		if tries++; tries > fetchTries {
			break
		}
		if _, err := b.fetch(ctx, name, v.String(), out); errors.Is(err, errNoPackage) {
			continue
		} else if err != nil {
			return node{}, err
		}
		return version(ctx, b.nodePath(v))
	}
	what := fmt.Sprintf("%s is %.256q", asked.Source, asked.Text)
	if asked.Text == "" {
		what = "a release in long-term support is wanted"
	}
	return node{}, core.Errorf(core.CodePlatformBuildFailed, "%s, and there is no such Node.js, neither installed here nor in the npm registry for this machine; ask for another one", what)
}

// nodePackage returns the npm package with the binary for this machine.
func nodePackage() string {
	arch := map[string]string{"amd64": "x64", "arm": "armv7l", "386": "x86"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return "node-linux-" + arch
}

func (b *Builder) nodePath(v npmsemver.Version) string {
	return filepath.Join(inside(b.packageDir(nodePackage(), v.String()), nodePackage()), "bin", "node")
}

// version runs the node at path for its version.
func version(ctx context.Context, path string) (node, error) {
	cmd := exec.CommandContext(ctx, path, "--version") //nolint:gosec // set by the operator, or fetched
	cmd.Env = []string{"PATH=" + systemPath}
	text, err := cmd.Output()
	if err != nil {
		return node{}, err
	}
	v, ok := npmsemver.ParseVersion(strings.TrimSpace(string(text)))
	if !ok {
		return node{}, fmt.Errorf("%s has the version %.50q", path, text)
	}
	return node{path: path, version: v}, nil
}

// acquire waits until no other build fetches something into the cache.
func (b *Builder) acquire(ctx context.Context) (release func(), err error) {
	select {
	case b.fetching <- struct{}{}:
		return func() { <-b.fetching }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("builds: waiting for another build to fetch packages: %w", context.Cause(ctx))
	}
}
