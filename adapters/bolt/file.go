package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// These are for whoever keeps a server's files, of which no server may run
// meanwhile. They work on any file of bbolt's, not the store's alone.

// CheckFile looks at every page of a file, and fails with what is damaged.
func CheckFile(ctx context.Context, path string) error {
	return reading(path, func(tx *bbolt.Tx) error {
		const most = 20 // of the faults that are told; a damaged page may bring about thousands
		var faults []error
		for fault := range tx.Check() {
			if ctx.Err() != nil || len(faults) == most {
				continue // it must be read to its end
			}
			faults = append(faults, fault)
		}
		return errors.Join(append(faults, ctx.Err())...)
	})
}

// CopyFile copies a file to where none is yet, as a whole or not at all, and
// returns its size in bytes.
func CopyFile(path, to string) (size int64, err error) {
	if _, err := os.Lstat(to); err == nil {
		return 0, fmt.Errorf("bolt: %s is there already; name another file", to)
	}
	err = reading(path, func(tx *bbolt.Tx) error {
		size = tx.Size()
		return replacing(to, func(part string) error { return tx.CopyFile(part, 0o600) })
	})
	return size, err
}

// CompactFile gives back what a file has become larger than what it holds. It
// returns its size before and after, in bytes.
func CompactFile(path string) (before, after int64, err error) {
	err = reading(path, func(tx *bbolt.Tx) error {
		before = tx.Size()
		// While it is open no server gets it, nor one that is about to be replaced.
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
	const transaction = 1 << 20 // bytes; all in one would be all in memory
	if err := bbolt.Compact(db, from, transaction); err != nil {
		return err
	}
	return db.Sync()
}

// openFile opens a file that no other process uses.
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

// reading opens a file to read it, which a server would not let us.
func reading(path string, f func(tx *bbolt.Tx) error) (err error) {
	if _, err := os.Stat(path); err != nil { // else it would be made
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

// replacing has a file written beside path and puts it into its place.
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
