package depcache

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"
)

// hiddenLock is where npm notes what is installed. It spares npm a look at each
// package (docs.npmjs.com, "package-lock.json", "Hidden Lockfiles").
const hiddenLock = ".package-lock.json"

// linker makes the content of an app's folder of an entry's.
type linker struct {
	from, to string
	copies   map[string]bool     // paths
	as       *syscall.Credential // the app's user; nil: the server's
}

// copyTree makes the folder to of an entry's tree: its files as hard links, or
// as copies that are the app's own. It returns what is noted of the entry.
func copyTree(dir, to string, as *syscall.Credential) (e entry, err error) {
	text, err := os.ReadFile(filepath.Join(dir, notes)) //nolint:gosec // the server's own
	if err != nil {
		return entry{}, err
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return entry{}, err
	}
	l := linker{from: filepath.Join(dir, tree), to: to, copies: map[string]bool{}, as: as}
	for _, name := range e.Copies {
		l.copies[name] = true
	}
	for _, place := range e.Places {
		if err := os.MkdirAll(filepath.Join(to, path.Dir(place)), 0o700); err != nil {
			return entry{}, err
		}
		if err := l.entry(place, l.copies[place]); err != nil {
			return entry{}, err
		}
	}
	return e, nil
}

func (l *linker) entry(rel string, copied bool) error {
	info, err := os.Lstat(filepath.Join(l.from, rel))
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return l.folder(rel, copied)
	case info.Mode().Type() == fs.ModeSymlink:
		return l.symlink(rel)
	}
	return l.file(rel, copied)
}

// folder makes a folder. What is folder or symbolic link is always the app's.
func (l *linker) folder(rel string, copied bool) error {
	to := filepath.Join(l.to, rel)
	if err := os.Mkdir(to, 0o755); err != nil { //nolint:gosec // below the app's folder, which is closed
		return err
	}
	if err := own(to, l.as); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(l.from, rel))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(rel, e.Name())
		copied := copied || l.copies[name]
		switch {
		case e.IsDir():
			err = l.folder(name, copied)
		case e.Type() == fs.ModeSymlink:
			err = l.symlink(name)
		default:
			err = l.file(name, copied)
		}
		if err != nil {
			return err
		}
	}
	if path.Base(rel) != modules {
		return nil
	}
	// npm believes its notes if no folder is newer.
	now := time.Now()
	if err := os.Chtimes(filepath.Join(to, hiddenLock), now, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (l *linker) symlink(rel string) error {
	target, err := os.Readlink(filepath.Join(l.from, rel))
	if err != nil {
		return err
	}
	to := filepath.Join(l.to, rel)
	if err := os.Symlink(target, to); err != nil { //nolint:gosec // both folders are open to the server alone
		return err
	}
	return own(to, l.as)
}

func (l *linker) file(rel string, copied bool) error {
	from, to := filepath.Join(l.from, rel), filepath.Join(l.to, rel)
	if !copied {
		// A file has only so many links, which differs among file systems.
		if err := os.Link(from, to); !errors.Is(err, syscall.EMLINK) {
			return err
		}
	}
	file, err := os.Open(from) //nolint:gosec // the server's own
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	mode := info.Mode().Perm()
	if copied {
		mode |= 0o200
	}
	if err := write(to, file, mode); err != nil || !copied {
		return err
	}
	return own(to, l.as)
}

// write writes a new file that has that mode, whatever the umask is.
func write(to string, from io.Reader, mode os.FileMode) error {
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the server's own
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	if err == nil {
		err = file.Chmod(mode)
	}
	return errors.Join(err, file.Close())
}

func own(name string, as *syscall.Credential) error {
	if as == nil {
		return nil
	}
	return os.Lchown(name, int(as.Uid), int(as.Gid))
}
