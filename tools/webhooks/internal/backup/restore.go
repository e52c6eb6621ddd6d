package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Restore unpacks an archive into a folder that does not exist or is empty. Root
// also restores the owners of files, which apps of the platform need.
func Restore(ctx context.Context, r io.Reader, dir string) error {
	// Apps that run as other users pass through it.
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // see above
		return fmt.Errorf("restore: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("restore: the folder %s is not empty: name another one, or move its files away", dir)
	}
	compressed, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("restore: not a backup: %w", err)
	}
	root, err := os.OpenRoot(dir) // nothing is written outside of it
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer root.Close() //nolint:errcheck // only a handle
	archive := tar.NewReader(compressed)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err = errors.Join(err, ctx.Err()); err == nil {
			err = restore(root, h, archive)
		}
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
}

func restore(root *os.Root, h *tar.Header, content io.Reader) error {
	if parent := path.Dir(path.Clean(h.Name)); parent != "." {
		// Databases come before their folders.
		if err := root.MkdirAll(parent, 0o711); err != nil {
			return err
		}
	}
	mode := h.FileInfo().Mode().Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		if err := root.MkdirAll(h.Name, 0o700); err != nil {
			return err
		}
	case tar.TypeLink:
		return root.Link(h.Linkname, h.Name)
	case tar.TypeSymlink:
		if err := root.Symlink(h.Linkname, h.Name); err != nil {
			return err
		}
		return own(root, h)
	case tar.TypeReg:
		if err := writeFile(root, h.Name, content); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%q has the unknown type %q", h.Name, h.Typeflag)
	}
	if err := own(root, h); err != nil {
		return err
	}
	if err := root.Chmod(h.Name, mode); err != nil { // after the owner, whose change clears bits
		return err
	}
	if h.ModTime.IsZero() || h.ModTime.Equal(time.Unix(0, 0)) {
		return nil
	}
	return root.Chtimes(h.Name, h.ModTime, h.ModTime)
}

func writeFile(root *os.Root, name string, content io.Reader) (err error) {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, content) //nolint:gosec // the operator's own backup
	return err
}

// own sets the owner, if the process may.
func own(root *os.Root, h *tar.Header) error {
	if os.Getuid() != 0 {
		return nil
	}
	err := root.Lchown(h.Name, h.Uid, h.Gid)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
