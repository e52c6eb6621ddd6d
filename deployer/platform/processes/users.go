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

// IsApp reports whether uid is an app's, of this server or of another one on the
// machine: it is in the range, and no person's.
func IsApp(uid uint32) bool {
	if uid < firstUID || uid-firstUID >= maxApps {
		return false
	}
	_, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	return err != nil
}

// OwnUsers reports whether apps have users of their own, as they have where the
// server is root.
func (r *Runner) OwnUsers() bool { return os.Getuid() == 0 && !r.o.SameUser }

// credential returns the user uid, without supplementary groups: those of the
// server are root's.
func credential(uid uint32) *syscall.Credential {
	return &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}
}

// Credential returns the app's own user, for its builds; nil where apps run
// as the server's user. A user is given once, and stands until
// [Runner.Destroy].
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

// freeUID returns a uid of the range that nobody has. The search begins after
// the last that was given, so that who comes next is not taken for one that was
// destroyed, whose files may lie in /tmp; and at first at a place of the
// server's own, as two servers on one machine don't know of each other.
func (r *Runner) freeUID(c *content) (uint32, error) {
	used := make(map[uint32]bool, len(c.Users))
	for _, uid := range c.Users {
		used[uid] = true
	}
	begin := c.LastUser - r.o.FirstUID + 1
	if c.LastUser < r.o.FirstUID || begin > maxApps { // none was given, or of another range
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(c.Instance)) // never fails
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

// folders are an app's own: HOME and TMPDIR.
type folders struct{ home, tmp string }

// folders makes the app's folders where they are missing. The folder around
// them stays the server's, so that the app can't put a link in their place.
func (r *Runner) folders(user, app string, as *syscall.Credential) (folders, error) {
	around := r.around(user, app)
	for _, dir := range []string{filepath.Dir(filepath.Dir(around)), filepath.Dir(around), around} {
		if err := passable(dir); err != nil {
			return folders{}, err
		}
	}
	f := folders{home: filepath.Join(around, "home"), tmp: filepath.Join(around, "tmp")}
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

// passable makes a folder that apps may pass through and not list, whatever the
// server's umask is.
func passable(dir string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // apps must pass
		return err
	}
	return os.Chmod(dir, 0o711) //nolint:gosec // apps must pass
}

// around is the folder around an app's own.
func (r *Runner) around(user, app string) string {
	return filepath.Join(r.o.Dir, "homes", user, app)
}

// reachable returns an error that names the folder above dir that is closed
// to the app's user, if there is one; nil for the server's own user.
func (r *Runner) reachable(ctx context.Context, dir string, as *syscall.Credential) error {
	if as == nil {
		return nil
	}
	var closed string
	var err error
	for d := dir; ; d = filepath.Dir(d) {
		cdErr := r.enter(ctx, d, as)
		if ctx.Err() != nil {
			return fmt.Errorf("processes: looking at the folder: %w", ctx.Err())
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

// enter tries to change to dir as an app's user would.
func (r *Runner) enter(ctx context.Context, dir string, as *syscall.Credential) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `cd -- "$1"`, "sh", dir) //nolint:gosec // the folder is data
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + systemPath, group.Variable + "=" + r.Mark() + "look"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	return cmd.Run()
}
