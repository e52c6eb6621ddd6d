package builds

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"golang.org/x/sys/unix"
)

// modules is the folder that npm installs to, in an app's and in a tree's.
const modules = "node_modules"

const (
	uses     = "uses"     // the folder in a tree with an empty file for each build that has it
	scripted = "scripted" // the file in a tree that packages with scripts were left out of
)

// Trees is the folder where one app keeps the dependencies that its builds
// share; "" shares nothing. The folders that are built stand beside it. Each
// tree is named by its key, the hash of all that its content follows from:
//
//	KEY/node_modules/   as `npm ci --ignore-scripts` made it, but the server's
//	KEY/scripted        there are packages with scripts, which are left out
//	KEY/uses/BUILD      the folder BUILD, beside Trees, was built with it
//	next-RANDOM         one that is being made
//	old-RANDOM          one that is being removed
//
// A tree is one app's alone. npm ran as that app's user, and whoever has this
// user, as an older version of the app that is running, could have changed
// what npm wrote before it was copied here. Hashes don't help: npm checks an
// archive when it unpacks it, not what stands on the disk later. So what one
// app installed must never be another's, even of the same account; that the
// lockfile is the same says nothing about who put what there. Within an app it
// gains nobody anything: its author deploys what they like.
//
// For the same reason a tree holds nothing that a script made. Scripts run in
// each build again, and where there are any the build gets copies, so that
// they may write to them. Otherwise it gets hard links: of files that are the
// server's and that no app's user may write to, in folders of its own. Not one
// symbolic link for the whole: node finds a module's real path, and packages
// that look for the app above them would not find it.
//
// A build needs no tree any more once it is done: with the last link the file
// goes. So a tree may be removed at any time; one that is half removed while a
// build takes it is installed anew.
//
// A tree has its name only when it is whole and on the disk.
type Trees string

// treeName is the name of a whole tree.
var treeName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Prune removes the trees that no build has which still exists. It may run
// while there are builds.
func (t Trees) Prune() error {
	entries, err := t.entries()
	failures := []error{err}
	for _, entry := range entries {
		if treeName.MatchString(entry.Name()) && !t.used(entry.Name()) {
			failures = append(failures, t.drop(entry.Name()))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("builds: removing dependencies that are not used: %w", err)
	}
	return nil
}

// Sweep removes what a server left that was killed, and prunes. Nothing may be
// built meanwhile.
func (t Trees) Sweep() error {
	entries, err := t.entries()
	failures := []error{err}
	for _, entry := range entries {
		if !treeName.MatchString(entry.Name()) {
			failures = append(failures, os.RemoveAll(t.path(entry.Name())))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("builds: removing dependencies that are left over: %w", err)
	}
	return t.Prune()
}

func (t Trees) path(parts ...string) string {
	return filepath.Join(append([]string{string(t)}, parts...)...)
}

func (t Trees) entries() ([]fs.DirEntry, error) {
	if t == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(string(t))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// used tells whether a build has the tree. It forgets those that are gone.
func (t Trees) used(key string) bool {
	entries, err := os.ReadDir(t.path(key, uses))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // who can't look keeps it
	}
	used := false
	for _, entry := range entries {
		if _, err := os.Lstat(filepath.Join(filepath.Dir(string(t)), entry.Name())); errors.Is(err, fs.ErrNotExist) {
			_ = os.Remove(t.path(key, uses, entry.Name())) // asked again the next time
			continue
		}
		used = true
	}
	return used
}

// drop removes a tree: first its name, so that nobody finds half of it.
func (t Trees) drop(key string) error {
	old, err := os.MkdirTemp(string(t), "old-")
	if err != nil {
		return err
	}
	if err := os.Rename(t.path(key), filepath.Join(old, key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, os.RemoveAll(old))
	}
	return os.RemoveAll(old)
}

// use notes that the build in dir has the tree; false where there is none.
func (t Trees) use(key, dir string) (bool, error) {
	file, err := os.OpenFile(t.path(key, uses, filepath.Base(dir)), os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // the server's own
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("noting the use: %w", err)
	}
	return true, file.Close()
}

// next makes a folder to put a tree together in, which nobody else may enter.
func (t Trees) next() (string, error) {
	if err := os.MkdirAll(string(t), 0o700); err != nil {
		return "", err
	}
	return os.MkdirTemp(string(t), "next-")
}

// keep copies what npm installed in dir, without scripts, to a tree of that
// key, but for the packages that have some. limit is how many bytes it may copy.
func (t Trees) keep(key, dir string, limit int64, as *syscall.Credential) (err error) {
	next, err := t.next()
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.RemoveAll(next); err == nil {
			err = removeErr
		}
	}()
	top, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer top.Close()                  //nolint:errcheck // only read
	root, err := top.OpenRoot(modules) // not the path, where the app may put a link
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // only read
	hidden, without, err := readHidden(root)
	if err != nil {
		return err
	}
	taker := &taker{left: limit, without: without, files: 0o444}
	if as != nil {
		// The tree is root's: no app's user may write to it, whatever is set here.
		// But who copies a file with its mode, as fs.cp does, may write to the copy.
		taker.uid, taker.foreign, taker.files = as.Uid, true, 0o644
	}
	whole := filepath.Join(next, key)
	if err := errors.Join(os.Mkdir(whole, 0o700), os.Mkdir(filepath.Join(whole, uses), 0o700)); err != nil {
		return err
	}
	if err := taker.folder(root, filepath.Join(whole, modules), ""); err != nil {
		return err
	}
	if err := write(filepath.Join(whole, modules, hiddenLock), hidden, taker.files); err != nil {
		return err
	}
	if len(without) > 0 {
		if err := os.WriteFile(filepath.Join(whole, scripted), nil, 0o600); err != nil {
			return err
		}
	}
	if err := flush(whole); err != nil {
		return err
	}
	// Two builds of the same key made the same, and the first one's stands.
	if err := os.Rename(whole, t.path(key)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// flush writes a folder's file system to the disk: after a loss of power a
// tree must not have its name and empty files.
func flush(dir string) error {
	file, err := os.Open(dir) //nolint:gosec // the server's own
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(file.Fd())), file.Close()) //nolint:gosec // a file descriptor fits
}

// give puts the tree's content to dir, in the place of what is installed
// there: its files as hard links, or as copies that are the app's own. There
// must be a use of the tree already. An error leaves nothing in dir.
func (t Trees) give(key, dir string, copies bool, as *syscall.Credential) (err error) {
	installed := filepath.Join(dir, modules)
	if err := os.RemoveAll(installed); err != nil {
		return err
	}
	next, err := t.next()
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.RemoveAll(next); err == nil {
			err = removeErr
		}
	}()
	// Put together where the app can't reach it, and then moved: no link that
	// the app makes meanwhile can lead a write of the server's elsewhere.
	whole := filepath.Join(next, modules)
	giver := giver{from: t.path(key, modules), to: whole, copies: copies, as: as}
	if err := giver.all(); err != nil {
		return err
	}
	return os.Rename(whole, installed)
}

// scripted tells whether packages were left out of the tree, as their scripts
// are to run in each build.
func (t Trees) scripted(key string) (bool, error) {
	_, err := os.Lstat(t.path(key, scripted))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
