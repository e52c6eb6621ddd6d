package processes

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// The range of uids that apps get.
const (
	firstUID = 50_000 // by default
	maxApps  = 10_000
)

// IsApp reports whether uid belongs to an app of this server or of another one on
// the machine: it is in the range, and there is no such user account.
func IsApp(uid uint32) bool {
	if uid < firstUID || uid-firstUID >= maxApps {
		return false
	}
	_, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	return err != nil
}

// OwnUsers reports whether apps have their own users, as they have by default if
// the server is root.
func (r *Runner) OwnUsers() bool { return os.Getuid() == 0 && !r.o.SameUser }

// credential returns the credential of uid, without the supplementary groups of
// the server.
func credential(uid uint32) *syscall.Credential {
	return &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}
}

// Credential returns the app's own user, or nil if apps run as the server's user.
// The first call assigns a user, which the app has until [Runner.Destroy].
func (r *Runner) Credential(user, app string) (*syscall.Credential, error) {
	if !r.OwnUsers() {
		return nil, nil
	}
	var uid uint32
	var err error
	saved := r.store.update(func(c *content) {
		known := false
		if uid, known = c.Users[key(user, app)]; known {
			return
		}
		if uid, err = r.freeUID(c); err == nil {
			c.Users[key(user, app)], c.LastUser = uid, uid
		}
	})
	if err = errors.Join(err, saved); err != nil {
		return nil, fmt.Errorf("processes: finding a user for the app: %w", err)
	}
	return credential(uid), nil
}

// freeUID returns an unused uid of the range. The search begins after the last one
// that was assigned, so that a new app does not get the uid of one that was
// destroyed and may have left files in /tmp. The first uid depends on the server's
// instance, as two servers on one machine don't know of each other.
func (r *Runner) freeUID(c *content) (uint32, error) {
	used := make(map[uint32]bool, len(c.Users))
	for _, uid := range c.Users {
		used[uid] = true
	}
	begin := c.LastUser - r.o.FirstUID + 1
	if c.LastUser < r.o.FirstUID || begin > maxApps { // none was assigned, or the range has changed
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(c.Instance)) // never returns an error
		begin = hash.Sum32() % maxApps
	}
	for i := range uint32(maxApps) {
		uid := r.o.FirstUID + (begin+i)%maxApps
		id := strconv.FormatUint(uint64(uid), 10)
		_, userErr := user.LookupId(id)
		_, groupErr := user.LookupGroupId(id)
		if !used[uid] && userErr != nil && groupErr != nil {
			return uid, nil
		}
	}
	return 0, fmt.Errorf("no uid is free from %d on", r.o.FirstUID)
}

// folders are those of an app that all its versions share. home is its HOME and
// its DATA_DIR, and is kept until [Runner.Destroy]; tmp is its TMPDIR. user is the
// name of the user that they belong to.
type folders struct{ home, tmp, user string }

// folders creates the app's folders if they are missing. Their parent is owned by
// the server, so that the app can't replace them with links.
func (r *Runner) folders(user, app string, as *syscall.Credential) (folders, error) {
	around := r.around(user, app)
	for _, dir := range []string{filepath.Dir(filepath.Dir(around)), filepath.Dir(around), around} {
		if err := passable(dir); err != nil {
			return folders{}, err
		}
	}
	f := folders{home: filepath.Join(around, "home"), tmp: filepath.Join(around, "tmp"), user: group.NameOf(as)}
	for _, dir := range []string{f.home, f.tmp} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return folders{}, err
		}
		if as != nil {
			if err := os.Lchown(dir, int(as.Uid), int(as.Gid)); err != nil {
				return folders{}, err
			}
		}
	}
	return f, nil
}

// passable creates a folder that apps may search but not list, regardless of the
// server's umask.
func passable(dir string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // apps need to search it
		return err
	}
	return os.Chmod(dir, 0o711) //nolint:gosec // apps need to search it
}

// around returns the parent of an app's folders.
func (r *Runner) around(user, app string) string {
	return filepath.Join(r.o.Dir, "homes", user, app)
}

// reachable returns an error that names dir, or the topmost folder above it, that
// the app's user can't access. It returns nil if as is nil.
func (r *Runner) reachable(ctx context.Context, dir string, as *syscall.Credential) error {
	if as == nil {
		return nil
	}
	var closed string
	var err error
	for d := dir; ; d = filepath.Dir(d) {
		cdErr := r.enter(ctx, d, as)
		if ctx.Err() != nil {
			return fmt.Errorf("processes: checking access to the folder: %w", ctx.Err())
		}
		if cdErr == nil {
			break
		}
		closed, err = d, cdErr
		if d == filepath.Dir(d) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("processes: the folder %s is closed to the apps' users, such as uid %d: "+
			"open it with chmod o+x, choose another folder, or run apps as the server's user: %w", closed, as.Uid, err)
	}
	return nil
}

// enter changes to dir in a child process that runs as an app's user.
func (r *Runner) enter(ctx context.Context, dir string, as *syscall.Credential) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `cd -- "$1"`, "sh", dir) //nolint:gosec // the folder is data
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + systemPath, group.Variable + "=" + r.Mark() + "look"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	return cmd.Run()
}
