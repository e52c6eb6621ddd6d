package builds

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/npmsemver"
)

// versionsFor is how long the versions of a package are remembered.
const versionsFor = 10 * time.Minute

// errNoPackage means that the registry has no such package or version.
var errNoPackage = errors.New("the npm registry has no such package")

// published are the versions of a package in the registry.
type published struct {
	versions []npmsemver.Version // newest first
	asked    time.Time
}

// versions returns the released versions of a package that the registry has,
// newest first.
func (b *Builder) versions(ctx context.Context, name string) ([]npmsemver.Version, error) {
	if known, ok := b.published[name]; ok && time.Since(known.asked) < versionsFor {
		return known.versions, nil
	}
	var stdout, stderr bytes.Buffer
	err := b.ownNpm(ctx, &stdout, &stderr, b.o.Cache, "view", name, "versions", "--json")
	if err != nil {
		return nil, registryError(ctx, "asking for the versions of "+name, err, stdout.Bytes(), stderr.Bytes())
	}
	// npm prints a list, or a string if there is only one.
	var names []string
	if json.Unmarshal(stdout.Bytes(), &names) != nil {
		var one string
		if err := json.Unmarshal(stdout.Bytes(), &one); err != nil {
			return nil, fmt.Errorf("builds: asking for the versions of %s: %w", name, err)
		}
		names = []string{one}
	}
	var found []npmsemver.Version
	for _, text := range names {
		if v, ok := npmsemver.ParseVersion(text); ok {
			found = append(found, v)
		}
	}
	newestFirst(found)
	b.published[name] = published{found, time.Now()}
	return found, nil
}

func newestFirst(versions []npmsemver.Version) {
	slices.SortFunc(versions, func(a, b npmsemver.Version) int { return b.Compare(a) })
}

// ownNpm runs the server's npm, for the server itself.
func (b *Builder) ownNpm(ctx context.Context, stdout, stderr *bytes.Buffer, dir string, args ...string) error {
	t, err := b.tools()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // apps run what is in it
		return err
	}
	return b.run(ctx, command{
		args: append([]string{t.node, t.npmScript()}, args...), dir: dir, path: []string{filepath.Dir(t.node)},
		env:    map[string]string{"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false", "npm_config_progress": "false"},
		stdout: stdout, stderr: stderr,
	})
}

// registryError converts an error of the server's npm: errNoPackage if the registry
// has no such package, or else a temporary error.
func registryError(ctx context.Context, doing string, err error, stdout, stderr []byte) error {
	if ctx.Err() != nil {
		return fmt.Errorf("builds: %s: %w", doing, context.Cause(ctx))
	}
	if _, ended := errors.AsType[*exec.ExitError](err); !ended {
		return fmt.Errorf("builds: %s: %w", doing, err)
	}
	// With --json npm prints an object with its error.
	var answer struct {
		Error struct{ Code, Summary string } `json:"error"`
	}
	if json.Unmarshal(stdout, &answer) != nil || answer.Error.Code == "" {
		for line := range strings.SplitSeq(string(stderr), "\n") {
			if code, ok := strings.CutPrefix(line, "npm error code "); ok && answer.Error.Code == "" {
				answer.Error.Code = strings.TrimSpace(code)
			}
		}
	}
	switch answer.Error.Code {
	case "E404", "ETARGET", "EINVALIDTAGNAME":
		return fmt.Errorf("builds: %s: %w", doing, errNoPackage)
	}
	e := core.Errorf(core.CodePlatformBuildFailed, "the request to the npm registry failed (%s); try the build again", orUnknown(answer.Error.Code))
	e.Cause = fmt.Errorf("builds: %s: %w: %.500s", doing, err, stderr)
	return core.Transient(e, 0)
}

func orUnknown(code string) string {
	if code == "" {
		return "npm failed"
	}
	return code
}

func (b *Builder) packages() string { return filepath.Join(b.o.Cache, "packages") }

// packageDir returns the folder of a version of a package.
func (b *Builder) packageDir(name, version string) string {
	return filepath.Join(b.packages(), strings.ReplaceAll(name, "/", "+")+"@"+version)
}

// inside returns the folder of a package below dir, which it was fetched to.
func inside(dir, name string) string {
	return filepath.Join(dir, "node_modules", filepath.FromSlash(name))
}

// fetched returns the versions of a package that were fetched before, newest first.
func (b *Builder) fetched(name string) []npmsemver.Version {
	entries, err := os.ReadDir(b.packages())
	if err != nil {
		return nil // none yet
	}
	var found []npmsemver.Version
	for _, entry := range entries {
		if text, ok := strings.CutPrefix(entry.Name(), strings.ReplaceAll(name, "/", "+")+"@"); ok {
			if v, ok := npmsemver.ParseVersion(text); ok {
				found = append(found, v)
			}
		}
	}
	newestFirst(found)
	return found
}

// fetch fetches a version of a package from the registry, unless it was fetched
// before, and returns its folder. It does not run scripts of the package.
func (b *Builder) fetch(ctx context.Context, name, version string, out *output) (string, error) {
	dir := b.packageDir(name, version)
	if _, err := os.Stat(inside(dir, name)); err == nil {
		return dir, nil
	}
	out.say("Fetching %s %s from the npm registry", titleOf(name), version)
	if err := os.MkdirAll(b.packages(), 0o755); err != nil { //nolint:gosec // apps run what is in it
		return "", fmt.Errorf("builds: creating the folder for packages: %w", err)
	}
	next, err := os.MkdirTemp(b.packages(), "next-")
	if err != nil {
		return "", fmt.Errorf("builds: creating the folder for packages: %w", err)
	}
	defer os.RemoveAll(next) //nolint:errcheck // Sweep removes the rest
	var stdout, stderr bytes.Buffer
	err = b.ownNpm(ctx, &stdout, &stderr, next, "install", "--prefix", next, "--ignore-scripts", "--no-save", "--no-package-lock", "--omit=optional", name+"@"+version)
	if err != nil {
		return "", registryError(ctx, "fetching "+name+" "+version, err, nil, stderr.Bytes())
	}
	if _, err := os.Stat(inside(next, name)); err != nil {
		return "", fmt.Errorf("builds: fetching %s %s: %w", name, version, err)
	}
	if err := errors.Join(os.Chmod(next, 0o755), os.RemoveAll(dir), os.Rename(next, dir)); err != nil { //nolint:gosec // apps run what is in it
		return "", fmt.Errorf("builds: storing %s %s: %w", name, version, err)
	}
	return dir, nil
}

// titleOf returns the name of a package's program for the output.
func titleOf(name string) string {
	switch {
	case name == nodePackage():
		return "Node.js"
	case strings.HasPrefix(name, "@yarnpkg/"):
		return "yarn"
	case strings.HasPrefix(name, "@pnpm/"):
		return "pnpm"
	}
	return name
}

// Sweep removes files that a killed server left in the cache, and fetched packages
// that are no longer used: used are the paths in each [Result] of a current build. Sweep
// must not run concurrently with builds.
func (b *Builder) Sweep(used []string) error {
	failures := []error{os.RemoveAll(b.temps())}
	entries, err := os.ReadDir(b.packages())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		failures = append(failures, err)
	}
	kept := map[string]bool{}
	for _, path := range used {
		name, ok := strings.CutPrefix(path, b.packages()+"/")
		if !ok {
			continue // the app's, or the system's
		}
		name, below, _ := strings.Cut(name, "/")
		kept[filepath.Join(b.packages(), name)] = true
		if version, ok := strings.CutPrefix(below, binPrefix); ok { // it may be fetched
			kept[b.packageDir(nodePackage(), version)] = true
		}
	}
	for _, entry := range entries {
		if dir := filepath.Join(b.packages(), entry.Name()); !kept[dir] {
			failures = append(failures, os.RemoveAll(dir))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("builds: sweeping the cache: %w", err)
	}
	return nil
}
