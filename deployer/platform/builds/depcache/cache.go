package depcache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

const (
	uses  = "uses"
	tree  = "tree"
	notes = "entry.json"
)

// Cache is the folder of an app's dependencies; "" keeps nothing.
type Cache string

// keyName is the name of a whole entry.
var keyName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Key returns the key for content that follows from inputs, a value that can
// be encoded as JSON.
func Key(inputs any) (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id") // another one each time the machine is started
	if err != nil {
		return "", fmt.Errorf("depcache: %w", err)
	}
	text, err := json.Marshal(inputs)
	if err != nil {
		return "", fmt.Errorf("depcache: %w", err)
	}
	sum := sha256.Sum256(append(boot, text...))
	return hex.EncodeToString(sum[:]), nil
}

// Save moves what is installed at the places in the folder dir, paths below it,
// to an entry of that key, and restores it there. Places that do not exist are
// left out. If it fails, dir has what it had, unless the error is [ErrLost].
//
// as is the user that installed it, nil for the server's own. Entries of
// another user, or that are not a file, folder or link, are refused.
func (c Cache) Save(key, dir string, places []string, as *syscall.Credential) (err error) {
	next, err := c.next()
	if err != nil {
		return fmt.Errorf("depcache: saving: %w", err)
	}
	defer func() {
		if removeErr := os.RemoveAll(next); err == nil && removeErr != nil {
			err = fmt.Errorf("depcache: saving: %w", removeErr)
		}
	}()
	entry := filepath.Join(next, key)
	for _, name := range []string{entry, filepath.Join(entry, uses), filepath.Join(entry, tree)} {
		if err := os.Mkdir(name, 0o700); err != nil {
			return fmt.Errorf("depcache: saving: %w", err)
		}
	}
	// What is moved must not be led elsewhere by a link in its path.
	top, err := os.OpenRoot(filepath.Dir(string(c)))
	if err != nil {
		return fmt.Errorf("depcache: saving: %w", err)
	}
	defer top.Close() //nolint:errcheck // what is moved is moved
	m := mover{top: top, from: filepath.Base(dir), to: filepath.Join(filepath.Base(string(c)), filepath.Base(next), key, tree)}
	if err = m.move(places); err == nil {
		err = acquire(entry, m.moved, as)
	}
	if err != nil {
		return fmt.Errorf("depcache: saving: %w", errors.Join(err, m.back()))
	}
	// Two builds of the same key made the same, and the first one's is kept.
	if err := os.Rename(entry, c.path(key)); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return fmt.Errorf("depcache: saving: %w", errors.Join(err, m.back()))
	}
	_, found, err := c.Restore(key, dir, as)
	if err == nil && !found {
		err = errors.New("the entry is gone")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil
}

// ErrLost is that what was saved could not be restored to where it was.
var ErrLost = errors.New("depcache: what was saved is gone")

// Restore puts an entry's content into the folder dir, at its places, instead
// of what is there. found is false if there is no such entry. An error leaves
// nothing at these places.
//
// scripts are the names of packages whose install scripts must be run again, as
// what they do may depend on the app. That is not so of those that have native
// code.
func (c Cache) Restore(key, dir string, as *syscall.Credential) (scripts []string, found bool, err error) {
	if found, err := c.use(key, dir); !found || err != nil {
		return nil, false, err
	}
	next, err := c.next()
	if err != nil {
		return nil, true, fmt.Errorf("depcache: restoring: %w", err)
	}
	defer func() {
		if removeErr := os.RemoveAll(next); err == nil && removeErr != nil {
			err = fmt.Errorf("depcache: restoring: %w", removeErr)
		}
	}()
	// Put together where the app can't reach it, and then moved: no link that
	// the app makes meanwhile can lead a write of the server's elsewhere.
	whole := filepath.Join(next, tree)
	e, err := copyTree(c.path(key), whole, as)
	if err != nil {
		return nil, true, fmt.Errorf("depcache: restoring: %w", err)
	}
	top, err := os.OpenRoot(filepath.Dir(string(c)))
	if err != nil {
		return nil, true, fmt.Errorf("depcache: restoring: %w", err)
	}
	defer top.Close() //nolint:errcheck // what is moved is moved
	m := mover{top: top, from: filepath.Join(filepath.Base(string(c)), filepath.Base(next), tree), to: filepath.Base(dir), as: as}
	if err := m.replace(e.Places); err != nil {
		return nil, true, fmt.Errorf("depcache: restoring: %w", err)
	}
	return e.Scripts, true, nil
}

// Refuse removes an entry, and keeps that nothing is to be saved by its key
// until the cache is swept.
func (c Cache) Refuse(key string) error {
	if err := os.WriteFile(c.path(refused+key), nil, 0o600); err != nil {
		return fmt.Errorf("depcache: %w", err)
	}
	return c.Drop(key)
}

// Refused reports whether nothing is to be saved by a key.
func (c Cache) Refused(key string) bool {
	_, err := os.Lstat(c.path(refused + key))
	return err == nil
}

const refused = "refused-"

// Drop removes an entry. It renames the entry first, so that no build finds a part.
func (c Cache) Drop(key string) error {
	old, err := os.MkdirTemp(string(c), "old-")
	if err != nil {
		return err
	}
	if err := os.Rename(c.path(key), filepath.Join(old, key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, os.RemoveAll(old))
	}
	return os.RemoveAll(old)
}

// Prune removes the entries of which no build exists. It may run while there
// are builds.
func (c Cache) Prune() error {
	entries, err := c.entries()
	failures := []error{err}
	for _, entry := range entries {
		if keyName.MatchString(entry.Name()) && !c.used(entry.Name()) {
			failures = append(failures, c.Drop(entry.Name()))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("depcache: removing what is not used: %w", err)
	}
	return nil
}

// Sweep removes what a server left that was killed, and prunes. Nothing may be
// built meanwhile.
func (c Cache) Sweep() error {
	entries, err := c.entries()
	failures := []error{err}
	for _, entry := range entries {
		if !keyName.MatchString(entry.Name()) {
			failures = append(failures, os.RemoveAll(c.path(entry.Name())))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("depcache: removing what is left over: %w", err)
	}
	return c.Prune()
}

func (c Cache) path(parts ...string) string {
	return filepath.Join(append([]string{string(c)}, parts...)...)
}

func (c Cache) entries() ([]fs.DirEntry, error) {
	if c == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(string(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// used reports whether a build has the entry. It forgets those that are gone.
func (c Cache) used(key string) bool {
	entries, err := os.ReadDir(c.path(key, uses))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) // what can't be read is kept
	}
	used := false
	for _, entry := range entries {
		if _, err := os.Lstat(filepath.Join(filepath.Dir(string(c)), entry.Name())); errors.Is(err, fs.ErrNotExist) {
			_ = os.Remove(c.path(key, uses, entry.Name())) // asked again the next time
			continue
		}
		used = true
	}
	return used
}

// use notes that the build in dir has the entry; false if there is none.
func (c Cache) use(key, dir string) (bool, error) {
	if c == "" {
		return false, nil
	}
	file, err := os.OpenFile(c.path(key, uses, filepath.Base(dir)), os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // the server's own
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("depcache: noting the use: %w", err)
	}
	return true, file.Close()
}

// next creates a folder for a new entry, which no other user can access.
func (c Cache) next() (string, error) {
	if err := os.MkdirAll(string(c), 0o700); err != nil {
		return "", err
	}
	return os.MkdirTemp(string(c), "next-")
}
