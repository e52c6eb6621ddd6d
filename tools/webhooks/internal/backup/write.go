package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/gzip"
)

// A Copier copies a database as it is at one moment, while others write to it. It
// calls begin with the number of bytes that it will write, and writes them to
// what begin returns.
type Copier func(begin func(size int64) (io.Writer, error)) error

// Options are the settings of [Write].
type Options struct {
	Dir string // the data folder
	// Databases are the files below Dir that must be copied as a whole, by their
	// paths relative to Dir.
	Databases map[string]Copier
	// Leave has the paths, relative to Dir, of what is left out: what the server
	// makes anew.
	Leave []string
}

// Write writes the archive, a compressed tarball, to w. All databases are copied
// as they are at its beginning. What is removed while Write runs is left out.
func Write(ctx context.Context, w io.Writer, o Options) (err error) {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	b := &writing{ctx: ctx, o: o, out: tar.NewWriter(compressed), linked: map[inode]string{}}
	names := make([]string, 0, len(o.Databases))
	for name := range o.Databases {
		names = append(names, name)
	}
	slices.Sort(names)
	if err := b.databases(names); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := filepath.WalkDir(o.Dir, b.add); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := errors.Join(b.out.Close(), compressed.Close()); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

type writing struct {
	ctx    context.Context
	o      Options
	out    *tar.Writer
	linked map[inode]string // names of files that have more than one
}

// databases copies the databases with these names. Each begins before the ones
// after it are written, so that all are of the same moment.
func (b *writing) databases(names []string) error {
	if len(names) == 0 {
		return nil
	}
	return b.o.Databases[names[0]](func(size int64) (io.Writer, error) {
		if err := b.databases(names[1:]); err != nil {
			return nil, err
		}
		return b.out, b.out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(names[0]), Size: size, Mode: 0o600})
	})
}

// add adds a file or folder.
func (b *writing) add(path string, entry fs.DirEntry, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := errors.Join(err, b.ctx.Err()); err != nil {
		return err
	}
	name, err := filepath.Rel(b.o.Dir, path)
	if err != nil || name == "." {
		return err
	}
	if slices.Contains(b.o.Leave, name) {
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	if _, database := b.o.Databases[name]; database {
		return nil
	}
	info, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return b.header(info, name+"/", "")
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return ignoreMissing(err)
		}
		return b.header(info, name, target)
	case info.Mode().IsRegular():
		return b.file(path, name)
	}
	return nil // a socket or pipe
}

// file adds a regular file as long as it is now.
func (b *writing) file(path, name string) error {
	f, err := os.Open(path) //nolint:gosec // below the operator's folder
	if err != nil {
		return ignoreMissing(err)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if id, many := inodeOf(info); many {
		if first, known := b.linked[id]; known {
			return b.out.WriteHeader(&tar.Header{Typeflag: tar.TypeLink, Name: filepath.ToSlash(name), Linkname: filepath.ToSlash(first)})
		}
		b.linked[id] = name
	}
	if err := b.header(info, name, ""); err != nil {
		return err
	}
	written, err := io.Copy(b.out, io.LimitReader(f, info.Size()))
	if err != nil {
		return err
	}
	// A file that became shorter is filled up, as its size stands in the header.
	_, err = io.CopyN(b.out, zeros{}, info.Size()-written)
	return err
}

func (b *writing) header(info fs.FileInfo, name, target string) error {
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Name, h.Uname, h.Gname, h.Format = filepath.ToSlash(name), "", "", tar.FormatPAX
	return b.out.WriteHeader(h)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

type zeros struct{}

// Read returns zeros.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
