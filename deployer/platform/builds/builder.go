package builds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/depcache"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
)

// Snapshot is what to build.
type Snapshot struct {
	Tgz  io.ReadSeeker // a gzipped tar with one top folder, package/
	Dir  string        // to build in; must not exist or be empty, its parent must exist
	Root string        // folder of the app below Dir; "" for Dir itself

	// Env is the app's environment, as set by its user. Values of variables that
	// are named like credentials are masked in the output.
	Env map[string]string

	// Credential is the user that owns Dir and runs the package manager; no other
	// user can read Dir. nil: the server's user, without this restriction.
	Credential *syscall.Credential

	// Home is the home folder of all builds of an app, with the caches of package
	// managers; its parent must exist. "": one of Credential's in Options.Cache,
	// which is not safe for an app whose uid may be reused.
	Home string

	Dependencies depcache.Cache // of the app, beside Dir; "": none
	Caches       string         // folder of the caches of build tools, beside Dir; "": none
}

// Result is a build that succeeded.
type Result struct {
	Dir         string                     // of the app, within the Snapshot's
	Node        string                     // path of the node to run the app with
	NodeVersion string                     // such as "20.20.2"
	Package     map[string]json.RawMessage // the fields of package.json
	Path        []string                   // folders of programs that the app may run, as its package manager
	Env         map[string]string          // of the app, overriding what its user set: package.json's env, and what npm sets

	Web       string            // shell command that serves requests; "" if there is none
	Processes map[string]string // commands of other processes, by name
	Release   string            // command that runs once before the switch; "" for none
	Static    string            // folder of a static site, below Dir; "" if it is not a static site
	Fallback  string            // file below Static that answers unknown paths; "" for none
	Health    string            // path that answers 2xx or 3xx once the app is ready; "" for none
	Cron      []project.CronJob // commands that are run by the clock
	Sticky    bool              // requests of a client go to the same drone
	StopFirst bool              // no two versions of the app may run at the same time
}

// Builder builds snapshots. It is safe for concurrent use.
type Builder struct {
	o        Options
	fetching chan struct{} // lock of the build that fetches something

	published map[string]published // by package; guarded by fetching

	making sync.Mutex // of a home: between its creation and its owner it looks like another user's

	settingsOnce sync.Mutex
	settings     *settings // nil: not read yet
}

// New returns a Builder. It does not access the disk or run programs.
func New(o Options) *Builder {
	return &Builder{o: o.withDefaults(), fetching: make(chan struct{}, 1), published: map[string]published{}}
}

// errTimeout is the cause of a context that ended at Options.Timeout.
var errTimeout = errors.New("the time limit has passed")

// Build unpacks s.Tgz into s.Dir, without its top folder, and builds the app in
// it. It writes its progress to out as text; write errors do not end the
// build. If Build fails it removes s.Dir.
//
// It fails with [core.CodePlatformBuildFailed] if the app's author can fix it, and
// with a [core.Transient] error if a retry may help.
func (b *Builder) Build(ctx context.Context, s Snapshot, out io.Writer) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.o.Timeout, errTimeout)
	defer cancel()
	result, err := b.build(ctx, s, newOutput(out, b.o.MaxOutput))
	if err == nil {
		return result, nil
	}
	if errors.Is(context.Cause(ctx), errTimeout) {
		// Not wrapped: a step that was ended may have failed with a temporary error.
		ended := errors.New(err.Error())
		err = core.NewError(core.CodePlatformBuildFailed, fmt.Sprintf("the build took longer than %v and was ended", b.o.Timeout), ended)
	}
	if removeErr := os.RemoveAll(s.Dir); removeErr != nil {
		b.o.Logger.Error("failed build not removed", "dir", s.Dir, "error", removeErr)
	}
	return Result{}, err
}

// fresh creates the folder, or checks that it is empty.
func fresh(s Snapshot) error {
	mode := os.FileMode(0o755)
	if s.Credential != nil {
		mode = 0o700
	}
	if err := os.Mkdir(s.Dir, mode); err == nil {
		return nil
	} else if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("builds: creating the folder: %w", err)
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

// tools are the programs of this machine that a build uses.
type tools struct {
	node string
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

// npmScript returns the path of npm's script.
func (t tools) npmScript() string {
	if script, err := filepath.EvalSymlinks(t.npm); err == nil {
		return script
	}
	return t.npm
}
