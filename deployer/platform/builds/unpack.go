package builds

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// A small archive may be of any ratio; from this size on, more than ratio
// bytes for one compressed byte are a bomb.
const (
	ratioFrom = 10 << 20
	ratio     = 200

	endMark = 1024 // bytes that mark an archive's end: two blocks of zeros
)

var (
	errTooLarge = errors.New("it unpacks to more than the platform allows")
	errBomb     = errors.New("it unpacks to far more than an app does")
)

// unpacker writes an archive to a folder.
type unpacker struct {
	root       *os.Root
	maxEntries int
	known      map[string]byte   // path to type, folders that are only implied among them
	folded     map[string]string // folded path to path
}

// unpack unpacks tgz into dir, which must be empty. All is written as the
// server's user, and given to `as` at the end where that is not nil. Nothing
// is written through a link: os.Root would refuse the ones that lead outside,
// but store them, and npm does not look.
func unpack(tgz io.Reader, dir string, o Options, as *syscall.Credential) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("builds: opening the folder: %w", err)
	}
	defer func() { _ = root.Close() }() // what is written is closed by itself
	packed := &counter{r: tgz}
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return broken(packed, err)
	}
	limited := &bounded{r: unzipped, packed: packed, limit: o.MaxUnpacked}
	u := &unpacker{root: root, maxEntries: o.MaxEntries, known: map[string]byte{}, folded: map[string]string{}}
	archive := tar.NewReader(limited)
	for {
		before := limited.n
		header, err := archive.Next()
		if err == io.EOF { //nolint:errorlint // documented as this very value
			// Also where the bytes just end, and files with them.
			if limited.n-before < endMark {
				return broken(packed, io.ErrUnexpectedEOF)
			}
			break
		}
		if err == nil {
			err = u.entry(header, archive)
		}
		if err != nil {
			return broken(packed, err)
		}
	}
	// What follows the archive's end is nothing, but the checksum stands there.
	if _, err := io.Copy(io.Discard, limited); err != nil {
		return broken(packed, err)
	}
	if len(u.known) == 0 {
		return &Failure{Reason: "the snapshot holds no files"}
	}
	return u.give(as)
}

// broken says whose fault err is: the sender's where the body broke off, the
// server's where it could not write, else the archive's.
func broken(packed *counter, err error) error {
	var write *writeError
	switch {
	case packed.err != nil:
		return fmt.Errorf("builds: reading the snapshot: %w", packed.err)
	case errors.As(err, &write):
		return fmt.Errorf("builds: unpacking the snapshot: %w", write.error)
	}
	if _, ok := Blame(err); ok {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &Failure{Reason: "the snapshot is cut off", Cause: err}
	}
	return &Failure{Reason: "the snapshot can't be unpacked: " + err.Error(), Cause: err}
}

// writeError is an error of the server's own disk.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

func wrote(err error) error {
	if err == nil {
		return nil
	}
	return &writeError{err}
}

func refuse(header *tar.Header, why error) error {
	return &Failure{Reason: fmt.Sprintf("the snapshot is refused for its entry %.200q: %v", header.Name, why), Cause: why}
}

// entry unpacks one entry.
func (u *unpacker) entry(header *tar.Header, body io.Reader) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := entryPath(header.Name, header.Typeflag == tar.TypeDir)
	if err != nil {
		return refuse(header, err)
	}
	for key := range header.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return refuse(header, errors.New("it is a sparse file"))
		}
	}
	if header.Typeflag == tar.TypeDir {
		return u.folder(header, name)
	}
	if err := u.folder(header, path.Dir(name)); err != nil {
		return err
	}
	if err := u.claim(name, header.Typeflag); err != nil {
		return refuse(header, err)
	}
	switch header.Typeflag {
	case tar.TypeReg:
		return u.file(header, name, body)
	case tar.TypeSymlink:
		if err := linkTarget(name, header.Linkname); err != nil {
			return refuse(header, err)
		}
		return wrote(u.root.Symlink(header.Linkname, name))
	case tar.TypeLink:
		target, err := entryPath(header.Linkname, false)
		if err != nil {
			return refuse(header, fmt.Errorf("it is a link, and of its target: %w", err))
		}
		if u.known[target] != tar.TypeReg {
			return refuse(header, errors.New("it is a link to what is no file before it in the archive"))
		}
		return wrote(u.root.Link(target, name))
	default:
		return refuse(header, fmt.Errorf("it is neither file, folder nor link, but of type %q", header.Typeflag))
	}
}

// folder makes the folder name and those above it.
func (u *unpacker) folder(header *tar.Header, name string) error {
	if name == "." {
		return nil
	}
	switch kind, ok := u.known[name]; {
	case ok && kind == tar.TypeDir:
		return nil
	case ok:
		return refuse(header, fmt.Errorf("%q is no folder", name))
	}
	if err := u.folder(header, path.Dir(name)); err != nil {
		return err
	}
	if err := u.claim(name, tar.TypeDir); err != nil {
		return refuse(header, err)
	}
	return wrote(u.root.Mkdir(name, 0o755))
}

// claim notes that name is taken, once.
func (u *unpacker) claim(name string, kind byte) error {
	if twin, ok := u.folded[fold(name)]; ok {
		return fmt.Errorf("%q is there already", twin)
	}
	if len(u.known) >= u.maxEntries {
		return fmt.Errorf("there are more than %d entries", u.maxEntries)
	}
	u.known[name] = kind
	u.folded[fold(name)] = name
	return nil
}

func (u *unpacker) file(header *tar.Header, name string, body io.Reader) error {
	mode := fs.FileMode(0o644)
	if header.Mode&0o111 != 0 {
		mode = 0o755
	}
	file, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return wrote(err)
	}
	// A reader's error comes as it is, a writer's marked.
	_, err = io.Copy(marking{file}, body)
	if closeErr := file.Close(); err == nil {
		err = wrote(closeErr)
	}
	return err
}

// marking marks the errors of a file as the server's.
type marking struct{ file *os.File }

func (m marking) Write(p []byte) (int, error) {
	n, err := m.file.Write(p)
	return n, wrote(err)
}

// give changes the owner of all that was unpacked. Folders come last, the
// deepest first: until then their owner to be can't exchange what is in them.
func (u *unpacker) give(as *syscall.Credential) error {
	if as == nil {
		return nil
	}
	var files, folders []string
	for name, kind := range u.known {
		if kind == tar.TypeDir {
			folders = append(folders, name)
		} else {
			files = append(files, name)
		}
	}
	slices.SortFunc(folders, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	for _, name := range slices.Concat(files, folders, []string{"."}) {
		if err := u.root.Lchown(name, int(as.Uid), int(as.Gid)); err != nil {
			return fmt.Errorf("builds: giving the files to the app's user: %w", err)
		}
	}
	return nil
}

// counter counts what is read and keeps the reader's error.
type counter struct {
	r   io.Reader
	n   int64
	err error
}

// Read reads from the reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF { //nolint:errorlint // documented as this very value
		c.err = err
	}
	return n, err
}

// bounded ends with an error where an archive unpacks to too much.
type bounded struct {
	r      io.Reader
	packed *counter
	n      int64
	limit  int64
}

// Read reads from the reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	switch {
	case b.n > b.limit:
		return 0, &Failure{Reason: fmt.Sprintf("the snapshot is refused: %v (%d bytes)", errTooLarge, b.limit), Cause: errTooLarge}
	case b.n > ratioFrom && b.n > ratio*b.packed.n:
		return 0, &Failure{Reason: fmt.Sprintf("the snapshot is refused: %v", errBomb), Cause: errBomb}
	}
	return n, err
}
