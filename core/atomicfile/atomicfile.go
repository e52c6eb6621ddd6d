// Package atomicfile writes files atomically: after a crash, a file has either its
// old or its new content, and never a part of it.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Write replaces or creates the file path. The content and the name are durable
// when Write returns. If it fails, the file is not changed.
func Write(path string, content []byte, perm fs.FileMode) error {
	next, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("atomicfile: %w", err)
	}
	_, err = next.Write(content)
	if err == nil {
		err = next.Chmod(perm)
	}
	if err = errors.Join(err, next.Sync(), next.Close()); err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("atomicfile: %w", errors.Join(err, os.Remove(next.Name())))
	}
	return SyncDir(filepath.Dir(path))
}

// Rename moves the file from, whose content is durable, to a name in the same
// file system. The name is durable when Rename returns.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("atomicfile: %w", err)
	}
	return SyncDir(filepath.Dir(to))
}

// SyncDir makes changes of the names in a folder durable.
func SyncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // folders can't be synced there
	}
	dir, err := os.Open(path) //nolint:gosec // the caller names it
	if err != nil {
		return fmt.Errorf("atomicfile: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("atomicfile: %w", err)
	}
	return nil
}
