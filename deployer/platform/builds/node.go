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
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// fetchTries is how many versions of a range are tried: not each one was
// published for each machine.
const fetchTries = 3

// node is an installed Node.js.
type node struct {
	path    string
	version *semver.Version
}

// asRange is what a range may be made of, and asTag a name for a version,
// such as "lts". Anything else, as a URL or a path, is not for npm to see.
var (
	asRange = regexp.MustCompile(`^[0-9A-Za-z.*^~<>=|+ -]{0,256}$`)
	asTag   = regexp.MustCompile(`^[a-z][a-z-]*$`)
)

// meets returns what tells whether a version is in the range, as npm reads it.
func meets(text string) (func(*semver.Version) bool, error) {
	// npm ignores the spaces after an operator, and takes "1.x || " for any.
	if text == "" || strings.HasSuffix(strings.TrimSpace(text), "||") || strings.HasPrefix(strings.TrimSpace(text), "||") {
		text = "*"
	}
	constraint, err := semver.NewConstraint(text)
	if err != nil {
		return nil, err
	}
	return constraint.Check, nil
}

// node returns a Node.js of the range: the server's own where it is in it, else
// one that is installed, else one that npm's registry ships.
func (b *Builder) node(ctx context.Context, t tools, text string, out *output) (node, error) {
	tag := asTag.MatchString(text) && text != "x"
	meets, err := meets(text)
	if !asRange.MatchString(text) || err != nil && !tag {
		return node{}, unmet(text, "is no range of versions", err)
	}
	if err != nil {
		meets = func(*semver.Version) bool { return false }
	}
	for _, path := range append([]string{t.node}, b.o.Nodes...) {
		if n, err := version(ctx, path); err == nil && meets(n.version) {
			return n, nil
		} else if err != nil && path == t.node {
			return node{}, fmt.Errorf("builds: asking node for its version: %w", err)
		}
	}
	select {
	case b.fetch <- struct{}{}:
	case <-ctx.Done():
		return node{}, fmt.Errorf("builds: waiting for a Node.js to be fetched: %w", context.Cause(ctx))
	}
	defer func() { <-b.fetch }()
	for _, v := range b.fetched() {
		if meets(v) {
			if n, err := version(ctx, b.nodePath(v)); err == nil {
				return n, nil
			}
		}
	}
	out.say("Looking for a Node.js %s", text)
	versions, err := b.published(ctx, t, text)
	if err != nil {
		return node{}, err
	}
	for _, v := range versions[:min(len(versions), fetchTries)] {
		if n, err := version(ctx, b.nodePath(v)); err == nil {
			return n, nil
		}
		out.say("Fetching Node.js %s", v)
		if err = b.get(ctx, t, v); err == nil {
			return version(ctx, b.nodePath(v))
		}
		if ctx.Err() != nil {
			return node{}, err
		}
		b.o.Logger.Warn("can't fetch node", "version", v.String(), "error", err)
		if _, refused := errors.AsType[*exec.ExitError](err); !refused {
			return node{}, err
		}
	}
	return node{}, unmet(text, "is met by no Node.js that is installed here or that npm has for this machine", nil)
}

func unmet(text, why string, cause error) error {
	return &Failure{Reason: fmt.Sprintf("engines.node in package.json is %.256q, which %s", text, why), Cause: cause}
}

// version asks the node at path.
func version(ctx context.Context, path string) (node, error) {
	cmd := exec.CommandContext(ctx, path, "--version") //nolint:gosec // the operator's own, or fetched
	cmd.Env = []string{"PATH=" + systemPath}
	text, err := cmd.Output()
	if err != nil {
		return node{}, err
	}
	v, err := semver.NewVersion(strings.TrimSpace(string(text)))
	if err != nil {
		return node{}, err
	}
	return node{path: path, version: v}, nil
}

func (b *Builder) nodes() string { return filepath.Join(b.o.Cache, "node") }

// platformPackage is the npm package that holds the binary for this machine.
func platformPackage() string {
	arch := map[string]string{"amd64": "x64", "arm": "armv7l", "386": "x86"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return "node-linux-" + arch
}

func (b *Builder) nodePath(v *semver.Version) string {
	return filepath.Join(b.nodes(), v.String(), "node_modules", platformPackage(), "bin", "node")
}

// fetched returns the versions that were fetched before, newest first.
func (b *Builder) fetched() []*semver.Version {
	entries, err := os.ReadDir(b.nodes())
	if err != nil {
		return nil // none yet
	}
	var versions []*semver.Version
	for _, entry := range entries {
		if v, err := semver.StrictNewVersion(entry.Name()); err == nil {
			versions = append(versions, v)
		}
	}
	return newestFirst(versions)
}

// Sweep removes what a server left in the cache that was killed, and the Node.js
// versions that were fetched and are used no more: used tells whether something
// is still to run with one, by [Result.Node]. Nothing may be built meanwhile.
func (b *Builder) Sweep(used func(node string) bool) error {
	failures := []error{os.RemoveAll(b.temps())}
	entries, err := os.ReadDir(b.nodes())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		failures = append(failures, err)
	}
	for _, entry := range entries {
		v, err := semver.StrictNewVersion(entry.Name())
		if err != nil || !used(b.nodePath(v)) {
			failures = append(failures, os.RemoveAll(filepath.Join(b.nodes(), entry.Name())))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("builds: sweeping the cache: %w", err)
	}
	return nil
}

func newestFirst(versions []*semver.Version) []*semver.Version {
	slices.SortFunc(versions, func(a, b *semver.Version) int { return b.Compare(a) })
	return versions
}

// published returns the released versions in the range that the registry has,
// newest first. `npm view --json` prints a text, a list, nothing, or an object
// with an error.
func (b *Builder) published(ctx context.Context, t tools, text string) ([]*semver.Version, error) {
	if text == "" {
		text = "*"
	}
	var stdout, stderr bytes.Buffer
	runErr := b.npm(ctx, npmRun{
		tools: t, node: t.node, dir: b.o.Cache, stdout: &stdout, stderr: &stderr,
		args: quiet("view", "node@"+text, "version", "--json"),
	})
	if ctx.Err() != nil {
		return nil, runErr
	}
	var answer struct {
		Error struct {
			Code    string `json:"code"`
			Summary string `json:"summary"`
		} `json:"error"`
	}
	if json.Unmarshal(stdout.Bytes(), &answer) == nil && answer.Error.Code != "" {
		switch answer.Error.Code {
		case "E404", "ETARGET", "EINVALIDTAGNAME":
			return nil, nil
		}
		return nil, fmt.Errorf("builds: asking the npm registry for Node.js %s: %s: %s", text, answer.Error.Code, answer.Error.Summary)
	}
	if runErr != nil {
		return nil, fmt.Errorf("builds: asking the npm registry for Node.js %s: %w: %.500s", text, runErr, stderr.String())
	}
	var names []string
	if json.Unmarshal(stdout.Bytes(), &names) != nil {
		names = []string{word(stdout.Bytes())}
	}
	var versions []*semver.Version
	for _, name := range names {
		if v, err := semver.StrictNewVersion(name); err == nil && v.Prerelease() == "" {
			versions = append(versions, v)
		}
	}
	return newestFirst(versions), nil
}

// get fetches a version into the cache. Its package has no scripts of its own
// to run, and may run none.
func (b *Builder) get(ctx context.Context, t tools, v *semver.Version) error {
	if err := os.MkdirAll(b.nodes(), 0o755); err != nil { //nolint:gosec // apps run it
		return fmt.Errorf("builds: making the folder for Node.js: %w", err)
	}
	next, err := os.MkdirTemp(b.nodes(), "next-")
	if err != nil {
		return fmt.Errorf("builds: making the folder for Node.js: %w", err)
	}
	var stderr bytes.Buffer
	err = b.npm(ctx, npmRun{
		tools: t, node: t.node, dir: next, stdout: &stderr, stderr: &stderr,
		args: quiet("install", "--prefix", next, "--ignore-scripts", "--no-save", "--no-package-lock",
			platformPackage()+"@"+v.String()),
	})
	if err == nil {
		err = os.Chmod(next, 0o755) //nolint:gosec // apps run it
	}
	if err == nil {
		err = os.RemoveAll(filepath.Join(b.nodes(), v.String())) // an unusable one
	}
	if err == nil {
		err = os.Rename(next, filepath.Join(b.nodes(), v.String()))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("builds: fetching Node.js %s: %w: %.500s", v, err, stderr.String()), os.RemoveAll(next))
	}
	return nil
}
