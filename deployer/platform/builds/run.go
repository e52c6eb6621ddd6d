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

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// systemPath is the PATH of the system's programs.
const systemPath = "/usr/local/bin:/usr/bin:/bin"

// command is a program to be run in a build.
type command struct {
	args           []string
	dir            string
	env            map[string]string   // overrides the common variables
	path           []string            // folders of programs, before the system's
	home           string              // "": one in the cache
	as             *syscall.Credential // nil: the server's user
	metered        bool                // its disk usage is limited
	app            string              // the folder that is built
	stdout, stderr io.Writer
}

// run runs a command and ends all processes that it started.
func (b *Builder) run(ctx context.Context, c command) (err error) {
	if err := group.Adopt(); err != nil {
		return err
	}
	home, err := b.home(ctx, c)
	if err != nil {
		return fmt.Errorf("builds: creating the home folder: %w", err)
	}
	tmp, err := b.temp(c.as)
	if err != nil {
		return fmt.Errorf("builds: creating a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()

	// The version of Node.js that the command runs may be any.
	limits := group.Limits{Files: b.o.Files, Memory: startup.DataLimit(b.o.Memory, "")}
	if c.as != nil {
		limits.Processes = b.o.Processes
	}
	args := limits.Wrap(c.args...)
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // building apps is what this is for; group.End ends it
	cmd.Dir = c.dir
	network, err := b.readSettings(ctx)
	if err != nil {
		return err
	}
	cmd.Env = b.environ(c, network.env, home, tmp)
	cmd.Stdout, cmd.Stderr = c.stdout, c.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	meter, err := b.meter(ctx, c, home, tmp)
	if err != nil {
		return err
	}
	g, err := b.o.Start(cmd, b.o.Mark()+rand.Text(), group.Limits{Memory: b.o.Memory, Processes: b.o.Processes})
	if err != nil {
		return fmt.Errorf("builds: starting %s: %w", filepath.Base(c.args[0]), err)
	}
	runs, end := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { meter.watch(runs, end) })
	grace := b.o.Grace
	select {
	case <-g.Exited():
		grace = 0 // processes that it left are not needed
	case <-runs.Done():
		if ctx.Err() == nil {
			grace = 0 // it would continue to write
		}
	}
	err = g.End(context.WithoutCancel(ctx), grace)
	cause := context.Cause(runs)
	end(nil)
	watching.Wait()
	if cause != nil {
		return fmt.Errorf("builds: running %s: %w", filepath.Base(c.args[0]), cause)
	}
	if full := meter.check(ctx); full != nil {
		return full // it is the cause of the printed errors
	}
	if c.metered && g.OutOfMemory() {
		return core.NewError(core.CodePlatformBuildFailed, fmt.Sprintf("the build needed more than %s of memory, which is the limit of the platform, and was ended; reduce the concurrency of the build, or have the operator raise --build-memory", bytesText(b.o.Memory)), err)
	}
	return err
}

// environ returns a command's environment, which contains nothing of the server's but
// the settings of the network.
func (b *Builder) environ(c command, network map[string]string, home, tmp string) []string {
	env := map[string]string{"LANG": "C.UTF-8", "NODE_ENV": "production", "CI": "true"}
	maps.Copy(env, network)
	maps.Copy(env, b.o.Env)
	maps.Copy(env, c.env)
	env["HOME"], env["TMPDIR"] = home, tmp
	env["USER"] = group.NameOf(c.as)
	env["LOGNAME"] = env["USER"]
	env["PATH"] = strings.Join(append(slices.Clone(c.path), systemPath), ":")
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// home returns a command's home, and creates it if it is missing. It contains caches
// and settings, and must not be shared between users, as one of them could plant
// packages that another installs. A home of another user belongs to an app whose
// uid was reused, and is removed.
func (b *Builder) home(ctx context.Context, c command) (string, error) {
	home := c.home
	if home == "" {
		name := "server"
		if c.as != nil {
			name = strconv.FormatUint(uint64(c.as.Uid), 10)
		}
		homes := filepath.Join(b.o.Cache, "homes")
		if err := os.MkdirAll(homes, 0o711); err != nil { //nolint:gosec // builds need to search it
			return "", err
		}
		home = filepath.Join(homes, name)
	}
	if err := b.makeHome(home, c.as); err != nil {
		return "", err
	}
	return home, b.configure(ctx, home, c.as)
}

// makeHome makes a folder a user's home.
func (b *Builder) makeHome(home string, as *syscall.Credential) error {
	b.making.Lock()
	defer b.making.Unlock()
	info, err := os.Lstat(home)
	if err == nil && as != nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != as.Uid {
			err = os.RemoveAll(home)
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Mkdir(home, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return own(home, as)
}

func (b *Builder) temps() string { return filepath.Join(b.o.Cache, "tmp") }

// temp creates a temporary folder for one command.
func (b *Builder) temp(as *syscall.Credential) (string, error) {
	if err := os.MkdirAll(b.temps(), 0o711); err != nil { //nolint:gosec // builds need to search it
		return "", err
	}
	tmp, err := os.MkdirTemp(b.temps(), "build-")
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
