package pack

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

// Limits bounds what is packed. Zero fields have defaults, which are what the
// embedded platform accepts.
type Limits struct {
	Entries int   // files, and folders with files; 50,000
	Bytes   int64 // of all files; 512 MiB
}

func (l Limits) withDefaults() Limits {
	l.Entries = cmp.Or(l.Entries, 50_000)
	l.Bytes = cmp.Or(l.Bytes, 512<<20)
	return l
}

// top is the archive's one top folder.
const top = "package"

// File is a file to be packed.
type File struct {
	Path       string // below the folder, with slashes
	Size       int64  // bytes, when the folder was opened
	Executable bool

	text []byte // that is packed in the place of the file's, if it is not nil
}

// Folder is a folder that can be packed. It is not for concurrent use.
type Folder struct {
	Manifest Manifest
	Files    []File   // by path
	Size     int64    // bytes of all files
	LeftOut  []string // paths of what one may miss: links, and a .npmrc below the folder
	Missing  []string // paths of files that the start command names, and that are left out
	Cleaned  []string // paths of settings of package managers whose credentials are left out

	root *os.Root
}

// Open finds out what of dir is to be packed. It fails if that exceeds the limits,
// if there is no package.json that can be read, or if the platform does not accept
// a path.
func Open(ctx context.Context, dir string, limits Limits) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("pack: opening the folder: %w", err)
	}
	f := &Folder{root: root}
	if err := f.list(ctx, limits.withDefaults()); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

func (f *Folder) list(ctx context.Context, limits Limits) error {
	text, err := readSmall(f.root, manifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("pack: there is no package.json; name the folder that has the app's")
	}
	if err != nil {
		return fmt.Errorf("pack: reading package.json: %w", err)
	}
	if f.Manifest, err = parse(text); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	l := &lister{ctx: ctx, folder: f, limits: limits, kept: f.Manifest.kept(), bundled: f.bundled()}
	if err := l.walk(".", nil, false); err != nil {
		return err
	}
	f.Missing = f.unpacked()
	return nil
}

// oldest is the time of every file in an archive, the same as npm's: some tools
// take nothing from before 1980.
func oldest() time.Time { return time.Date(1985, time.October, 26, 8, 15, 0, 0, time.UTC) }

// Write writes the archive to w. progress, if it is not nil, is called with the
// number of bytes that were read of the files since it was called last. A file
// that has become shorter meanwhile, or is gone, is an error.
func (f *Folder) Write(ctx context.Context, w io.Writer, progress func(n int64)) error {
	if progress == nil {
		progress = func(int64) {}
	}
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	for _, file := range f.Files {
		if err := f.add(ctx, archive, file, progress); err != nil {
			return fmt.Errorf("pack: packing %q: %w", file.Path, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("pack: ending the archive: %w", err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("pack: ending the archive: %w", err)
	}
	return nil
}

func (f *Folder) add(ctx context.Context, archive *tar.Writer, file File, progress func(int64)) error {
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: path.Join(top, file.Path), Size: file.Size, Mode: 0o644, ModTime: oldest(),
	}
	if file.Executable {
		header.Mode = 0o755
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	if file.text != nil {
		_, err := archive.Write(file.text)
		return err
	}
	opened, err := open(f.root, file.Path)
	if err != nil {
		return err
	}
	defer opened.Close() //nolint:errcheck // only read
	// What was appended meanwhile, as to a log, is not taken.
	n, err := io.Copy(archive, io.LimitReader(&reader{ctx: ctx, r: opened, progress: progress}, file.Size))
	if err == nil && n < file.Size {
		err = errors.New("it has become shorter meanwhile")
	}
	return err
}

// reader reports what is read, and ends with ctx.
type reader struct {
	ctx      context.Context //nolint:containedctx // the reader lives no longer than the call
	r        io.Reader
	progress func(int64)
}

// Read reads on.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	r.progress(int64(n))
	return n, err
}

// open opens a regular file. What became something else meanwhile is refused;
// a link that leads out of the folder is not followed by os.Root.
func open(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	if opened, err := file.Stat(); err != nil || !os.SameFile(info, opened) {
		return nil, errors.Join(cmp.Or(err, errNoFile), file.Close())
	}
	return file, nil
}

var errNoFile = errors.New("it is not a regular file")

// maxSmall is the largest package.json or ignore file, in bytes.
const maxSmall = 1 << 20

func readSmall(root *os.Root, name string) ([]byte, error) {
	file, err := open(root, name)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(file, maxSmall+1))
	if err == nil && len(text) > maxSmall {
		err = fmt.Errorf("it is larger than %d bytes", maxSmall)
	}
	return text, err
}
