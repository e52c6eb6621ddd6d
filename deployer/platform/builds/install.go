package builds

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/nodejitsu/webhooks/core/redact"
)

// quiet adds to npm's arguments what keeps it to its work.
func quiet(args ...string) []string {
	return append(args, "--no-audit", "--no-fund", "--no-update-notifier", "--no-progress", "--no-color")
}

// installation is the one of a build.
type installation struct {
	*Builder
	Snapshot
	tools tools
	node  node
	out   *output
}

// install installs the dependencies: what the lockfile says, where there is
// one, and what another build has installed, where that is the same.
func (i installation) install(ctx context.Context) error {
	if i.Trees != "" {
		if w, ok := i.wants(i.Dir, i.node, i.Credential); ok {
			done, err := i.share(ctx, w)
			if done || err != nil {
				return err
			}
		}
	}
	verb := "install"
	for _, lock := range lockfiles {
		if info, err := os.Lstat(filepath.Join(i.Dir, lock)); err == nil && info.Mode().IsRegular() {
			verb = "ci"
		}
	}
	i.out.say("Installing the dependencies: npm %s", verb)
	return i.run(ctx, verb)
}

// share installs what w asks for from a tree, which it makes where there is
// none. It is not done where that can't be, for a reason that is the server's;
// then npm has to install without.
func (i installation) share(ctx context.Context, w want) (done bool, err error) {
	copies, err := i.take(w)
	switch {
	case err == nil:
		i.out.say("Reusing the dependencies of an earlier build, as %s is the same", w.lock)
	case !errors.Is(err, errNoTree):
		i.o.Logger.WarnContext(ctx, "can't reuse dependencies", "dir", i.Dir, "error", err)
		_ = i.Trees.drop(w.key) // it makes no difference any more
		fallthrough
	default:
		i.out.say("Installing the dependencies: npm ci")
		if err := i.run(ctx, "ci", "--ignore-scripts"); err != nil {
			return false, err
		}
		err := i.Trees.keep(w.key, i.Dir, i.o.MaxDisk, i.Credential)
		if err == nil {
			copies, err = i.take(w)
		}
		if err != nil {
			i.o.Logger.WarnContext(ctx, "can't keep dependencies for later builds", "dir", i.Dir, "error", err)
			return false, nil
		}
	}
	if !copies {
		return true, nil
	}
	// npm adds the packages that a tree leaves out, and runs their scripts and
	// the app's own; the rest it finds installed.
	i.out.say("Running the install scripts: npm install")
	return true, i.run(ctx, "install", "--prefer-offline")
}

// errNoTree is that there is nothing to reuse.
var errNoTree = errors.New("there is no such tree")

// take puts the tree that w asks for in its place. It tells whether there are
// scripts to be run, for which the files are copies.
func (i installation) take(w want) (copies bool, err error) {
	found, err := i.Trees.use(w.key, i.Dir)
	if err != nil {
		return false, err
	}
	if !found {
		return false, errNoTree
	}
	if copies, err = i.Trees.scripted(w.key); err != nil {
		return false, err
	}
	copies = copies || w.scripts
	return copies, i.Trees.give(w.key, i.Dir, copies, i.Credential)
}

// run runs npm for the production dependencies.
func (i installation) run(ctx context.Context, verb string, args ...string) error {
	out := redact.NewWriter(i.out, i.credentials(i.Dir))
	err := i.npm(ctx, npmRun{
		tools: i.tools, node: i.node.path, dir: i.Dir, home: i.Home, as: i.Credential, metered: true,
		args: quiet(slices.Concat([]string{verb, "--omit=dev"}, args)...), stdout: out, stderr: out,
	})
	_ = out.Flush() // i.out never fails
	if err == nil || ctx.Err() != nil {
		return err
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return err
	}
	reason := fmt.Sprintf("npm %s failed: %v", verb, exit)
	if said := i.out.failures(); said != "" {
		reason += ": " + said
	}
	return &Failure{Reason: reason, Cause: err}
}
