package builds

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/drones/group"
)

// systemPath is where npm and the scripts it runs find the system's programs.
const systemPath = "/usr/local/bin:/usr/bin:/bin"

// pipeLimit is how long a pipe is read after the last process of the group
// has ended: somebody who left the group may have it.
const pipeLimit = 2 * time.Second

// npmRun is one run of npm.
type npmRun struct {
	tools
	node           string // that scripts find as node
	dir            string
	home           string              // "": one in the cache
	as             *syscall.Credential // nil: the server's user
	metered        bool                // what it writes is bounded
	args           []string
	stdout, stderr io.Writer
}

// npm runs npm and ends all that it started.
func (b *Builder) npm(ctx context.Context, r npmRun) (err error) {
	if err := group.Adopt(); err != nil {
		return err
	}
	home, err := b.home(r)
	if err != nil {
		return fmt.Errorf("builds: making a home for npm: %w", err)
	}
	tmp, err := b.temp(r.as)
	if err != nil {
		return fmt.Errorf("builds: making a temporary folder for npm: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()

	limits := group.Limits{Files: b.o.Files, Memory: b.o.Memory}
	if r.as != nil {
		limits.Processes = b.o.Processes
	}
	args := limits.Wrap(append(r.npmCommand(), r.args...)...)
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // building apps is what this is for; group.End ends it
	cmd.Dir = r.dir
	cmd.Env = b.environ(r, home, tmp)
	cmd.Stdout, cmd.Stderr = r.stdout, r.stderr
	cmd.WaitDelay = pipeLimit
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: r.as}
	meter, err := b.meter(ctx, r, home, tmp)
	if err != nil {
		return err
	}
	g, err := b.o.Start(cmd, b.o.Mark()+rand.Text(), group.Limits{Memory: b.o.Memory, Processes: b.o.Processes})
	if err != nil {
		return fmt.Errorf("builds: starting npm: %w", err)
	}
	runs, end := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { meter.watch(runs, end) })
	grace := b.o.Grace
	select {
	case <-g.Exited():
		grace = 0 // what npm left running has no business any more
	case <-runs.Done():
		if ctx.Err() == nil {
			grace = 0 // it would go on writing
		}
	}
	err = g.End(context.WithoutCancel(ctx), grace)
	cause := context.Cause(runs)
	end(nil)
	watching.Wait()
	if cause != nil {
		return fmt.Errorf("builds: running npm: %w", cause)
	}
	if full := meter.check(ctx); full != nil {
		return full // and what npm said follows from it
	}
	if r.metered && g.OutOfMemory() {
		return &Failure{Reason: fmt.Sprintf("the build needed more than %s of memory, which is all that the platform allows, and was ended", bytesText(b.o.Memory)), Cause: err}
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return nil // npm itself has succeeded
	}
	return err
}

// npmCommand returns what runs npm. It is a script for node, and must run on
// a node of today even where the app's own is old.
func (r npmRun) npmCommand() []string {
	if script, err := filepath.EvalSymlinks(r.npm); err == nil && filepath.Ext(script) == ".js" {
		return []string{r.tools.node, script}
	}
	return []string{r.npm}
}

// environ returns npm's environment: nothing of the server's own.
func (b *Builder) environ(r npmRun, home, tmp string) []string {
	env := map[string]string{"LANG": "C.UTF-8", "NODE_ENV": "production", "CI": "true"}
	if b.o.Registry != "" {
		env["npm_config_registry"] = b.o.Registry
	}
	maps.Copy(env, b.o.Env)
	env["HOME"], env["TMPDIR"] = home, tmp
	env["PATH"] = strings.Join([]string{filepath.Dir(r.node), filepath.Dir(r.npm), systemPath}, ":")
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// home returns a run's home, which it makes where it is missing. It holds
// npm's cache and settings: shared between users, one of them could plant
// there what another installs. One of another user is an app's whose uid was
// given on, and goes.
func (b *Builder) home(r npmRun) (string, error) {
	home := r.home
	if home == "" {
		name := "server"
		if r.as != nil {
			name = strconv.FormatUint(uint64(r.as.Uid), 10)
		}
		homes := filepath.Join(b.o.Cache, "homes")
		if err := os.MkdirAll(homes, 0o711); err != nil { //nolint:gosec // builds must pass, and can't list
			return "", err
		}
		home = filepath.Join(homes, name)
	}
	info, err := os.Lstat(home)
	if err == nil && r.as != nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != r.as.Uid {
			err = os.RemoveAll(home)
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := os.Mkdir(home, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return home, own(home, r.as)
}

func (b *Builder) temps() string { return filepath.Join(b.o.Cache, "tmp") }

// temp makes a temporary folder for one run.
func (b *Builder) temp(as *syscall.Credential) (string, error) {
	if err := os.MkdirAll(b.temps(), 0o711); err != nil { //nolint:gosec // builds must pass, and can't list
		return "", err
	}
	tmp, err := os.MkdirTemp(b.temps(), "npm-")
	if err != nil {
		return "", err
	}
	return tmp, own(tmp, as)
}

func own(dir string, as *syscall.Credential) error {
	if as == nil {
		return nil
	}
	return os.Lchown(dir, int(as.Uid), int(as.Gid))
}
