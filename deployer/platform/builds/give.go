package builds

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// giver makes an app's folder of a tree's.
type giver struct {
	from, to string
	copies   bool                // of the app's own, not hard links
	as       *syscall.Credential // the app's user; nil: the server's
}

// all makes the folder. What is folder or symbolic link is always the app's.
func (g giver) all() error {
	err := filepath.WalkDir(g.from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(g.from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(g.to, below)
		switch entry.Type() {
		case fs.ModeDir:
			if err := os.Mkdir(to, 0o755); err != nil { //nolint:gosec // below the app's folder, which is closed
				return err
			}
			return own(to, g.as)
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			if err := os.Symlink(target, to); err != nil { //nolint:gosec // both folders are open to the server alone
				return err
			}
			return own(to, g.as)
		default:
			return g.file(path, to)
		}
	})
	if err != nil || !g.copies {
		return err
	}
	// npm believes its notes where no folder is newer.
	now := time.Now()
	return os.Chtimes(filepath.Join(g.to, hiddenLock), now, now)
}

func (g giver) file(path, to string) error {
	if !g.copies {
		// A file has only so many links, which differs among file systems.
		if err := os.Link(path, to); !errors.Is(err, syscall.EMLINK) {
			return err
		}
	}
	file, err := os.Open(path) //nolint:gosec // the server's own
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	mode := info.Mode().Perm()
	if g.copies {
		mode |= 0o200
	}
	if err := write(to, nil, mode, file); err != nil || !g.copies {
		return err
	}
	return own(to, g.as)
}
