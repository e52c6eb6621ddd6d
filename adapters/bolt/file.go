package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// These functions maintain the files of a server that does not run. They work on any
// file of bbolt.

// CheckFile checks every page of a file. Its error lists the damage.
func CheckFile(ctx context.Context, path string) error {
	return reading(path, func(tx *bbolt.Tx) error {
		const most = 20 // errors that are reported; a damaged page may cause thousands
		var faults []error
		for fault := range tx.Check() {
			if ctx.Err() != nil || len(faults) == most {
				continue // the channel must be drained
			}
			faults = append(faults, fault)
		}
		return errors.Join(append(faults, ctx.Err())...)
	})
}

// CopyTo copies the file as it is now, while it is written to. It calls begin with
// the number of bytes, and writes them to what begin returns.
func (s *Store) CopyTo(begin func(size int64) (io.Writer, error)) error {
	s.opened.RLock()
	defer s.opened.RUnlock()
	if s.db == nil {
		return fmt.Errorf("%w: %w", errClosed, s.state.Err())
	}
	return s.db.View(func(tx *bbolt.Tx) error { return copyTo(tx, begin) })
}

// CopyFileTo is [Store.CopyTo] for the file of a server that does not run.
func CopyFileTo(path string, begin func(size int64) (io.Writer, error)) error {
	return reading(path, func(tx *bbolt.Tx) error { return copyTo(tx, begin) })
}

func copyTo(tx *bbolt.Tx, begin func(size int64) (io.Writer, error)) error {
	w, err := begin(tx.Size())
	if err != nil {
		return err
	}
	_, err = tx.WriteTo(w)
	return err
}

// CompactFile removes the free pages of a file. It returns the size before and
// after, in bytes.
func CompactFile(path string) (before, after int64, err error) {
	err = reading(path, func(tx *bbolt.Tx) error {
		before = tx.Size()
		// Both files stay open, and so locked, until the file is replaced.
		return replacing(path, func(part string) error {
			if err := compact(tx.DB(), part); err != nil {
				return err
			}
			now, err := os.Stat(part)
			if err == nil {
				after = now.Size()
			}
			return err
		})
	})
	return before, after, err
}

func compact(from *bbolt.DB, to string) (err error) {
	db, err := bbolt.Open(to, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	const transaction = 1 << 20 // bytes; a transaction is in memory
	if err := bbolt.Compact(db, from, transaction); err != nil {
		return err
	}
	return db.Sync()
}

// openFile opens a file exclusively.
func openFile(path string, o *bbolt.Options) (*bbolt.DB, error) {
	o.Timeout = 2 * time.Second
	db, err := bbolt.Open(path, 0o600, o)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("bolt: %s is in use by another process; stop it, or choose another data folder", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("bolt: %s can't be opened: %w; run as its owner, or choose another data folder", path, err)
	case err != nil:
		return nil, fmt.Errorf("bolt: %s can't be opened: %w", path, err)
	}
	return db, nil
}

// reading opens a file for reading. It fails if a server has it open.
func reading(path string, f func(tx *bbolt.Tx) error) (err error) {
	if _, err := os.Stat(path); err != nil { // bbolt would create it
		return fmt.Errorf("bolt: %w", err)
	}
	db, err := openFile(path, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.View(f); err != nil {
		return fmt.Errorf("bolt: %s: %w", path, err)
	}
	return nil
}

// replacing calls write for a temporary file beside path and renames it to path.
func replacing(path string, write func(part string) error) (err error) {
	folder, err := os.MkdirTemp(filepath.Dir(path), ".part-")
	if err != nil {
		return fmt.Errorf("bolt: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	part := filepath.Join(folder, filepath.Base(path))
	if err := write(part); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("bolt: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) (err error) {
	folder, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return fmt.Errorf("bolt: %w", err)
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("bolt: %w", err)
	}
	return nil
}
