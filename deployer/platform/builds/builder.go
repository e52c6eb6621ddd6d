package builds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Snapshot is what to build.
type Snapshot struct {
	Tgz io.ReadSeeker // a gzipped tar with one top folder, package/
	Dir string        // where to; must not exist or be empty, its parent must exist

	// Credential is the user that owns Dir and runs npm; nil: the server's own.
	// No other user may then read Dir.
	Credential *syscall.Credential

	// Home is the folder that npm has as its home, with its cache, for all builds
	// of an app; its parent must exist. "": one of Credential's in Options.Cache,
	// which an app must not have where its uid may have been another's before.
	Home string

	// Trees is where Dir's dependencies are shared with later builds, a folder
	// beside Dir, of the same app; "": they are not.
	Trees Trees
}

// Result is a build that succeeded.
type Result struct {
	Node    string // path of the node to run the app with
	Version string // of that node, such as "20.20.2"
	Package Package
}

// Builder builds snapshots. It may be used by several goroutines at once.
type Builder struct {
	o     Options
	fetch chan struct{} // held by the one build that fetches a node
}

// New returns a Builder. It reads and runs nothing yet.
func New(o Options) *Builder {
	return &Builder{o: o.withDefaults(), fetch: make(chan struct{}, 1)}
}

// errTimeout is why a build's context ended that took too long.
var errTimeout = errors.New("the time limit has passed")

// Build unpacks s.Tgz into s.Dir, without its top folder, and installs its
// dependencies there. What happens is written to out as text while it happens;
// an error in writing it does not end the build. Where Build fails it removes
// s.Dir. [Blame] tells whether the app's author or the server is at fault.
func (b *Builder) Build(ctx context.Context, s Snapshot, out io.Writer) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.o.Timeout, errTimeout)
	defer cancel()
	result, err := b.build(ctx, s, &output{w: out, left: b.o.MaxOutput})
	if err == nil {
		return result, nil
	}
	if errors.Is(context.Cause(ctx), errTimeout) {
		err = &Failure{Reason: fmt.Sprintf("the build took longer than %v and was ended", b.o.Timeout), Cause: err}
	}
	if removeErr := os.RemoveAll(s.Dir); removeErr != nil {
		b.o.Logger.Error("can't remove a failed build", "dir", s.Dir, "error", removeErr)
	}
	return Result{}, err
}

func (b *Builder) build(ctx context.Context, s Snapshot, out *output) (Result, error) {
	tools, err := b.tools()
	if err != nil {
		return Result{}, err
	}
	if err := fresh(s); err != nil {
		return Result{}, err
	}
	out.say("Unpacking the snapshot")
	leftOut, err := unpack(ctx, s.Tgz, s.Dir, b.o, s.Credential)
	if err != nil {
		return Result{}, err
	}
	for _, o := range leftOut {
		out.say("%q was left out: %s", o.Name, o.Reason)
	}
	pkg, err := ReadPackage(s.Dir)
	if err != nil {
		return Result{}, err
	}
	node, err := b.node(ctx, tools, pkg.Node, out)
	if err != nil {
		return Result{}, err
	}
	if pkg.Node == "" {
		out.say("Running on Node.js %s", node.version)
	} else {
		out.say("Running on Node.js %s, as engines.node is %q", node.version, pkg.Node)
	}
	result := Result{Node: node.path, Version: node.version.String(), Package: pkg}
	if !pkg.install {
		out.say("There are no dependencies to install")
		return result, nil
	}
	if err := (installation{b, s, tools, node, out}).install(ctx); err != nil {
		return Result{}, err
	}
	out.say("The dependencies are installed")
	return result, nil
}

// fresh makes the folder, or sees that it is empty.
func fresh(s Snapshot) error {
	mode := os.FileMode(0o755)
	if s.Credential != nil {
		mode = 0o700
	}
	if err := os.Mkdir(s.Dir, mode); err == nil {
		return nil
	} else if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("builds: making the folder: %w", err)
	}
	entries, err := os.ReadDir(s.Dir)
	if err == nil && len(entries) > 0 {
		err = errors.New("it is not empty")
	}
	if err == nil {
		err = os.Chmod(s.Dir, mode)
	}
	if err != nil {
		return fmt.Errorf("builds: using the folder %s: %w", s.Dir, err)
	}
	return nil
}

// tools are the programs that a build uses.
type tools struct {
	node string // runs npm
	npm  string
}

func (b *Builder) tools() (tools, error) {
	t := tools{node: b.o.Node, npm: b.o.Npm}
	var err error
	if t.node == "" {
		if t.node, err = exec.LookPath("node"); err != nil {
			return tools{}, fmt.Errorf("builds: Node.js is not installed: %w", err)
		}
	}
	if t.npm == "" {
		if t.npm, err = exec.LookPath("npm"); err != nil {
			return tools{}, fmt.Errorf("builds: npm is not installed: %w", err)
		}
	}
	if t.node, err = filepath.Abs(t.node); err != nil {
		return tools{}, fmt.Errorf("builds: finding node: %w", err)
	}
	if t.npm, err = filepath.Abs(t.npm); err != nil {
		return tools{}, fmt.Errorf("builds: finding npm: %w", err)
	}
	return t, nil
}
