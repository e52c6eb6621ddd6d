package builds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/klauspost/compress/gzip"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/safetar"
)

// snapshotTop is the top folder of a snapshot, as npm pack creates it.
const snapshotTop = "package"

// unpack unpacks tgz into dir, which must be empty, and returns the omitted entries.
// It reads the archive twice, so that nothing is written if the archive is refused.
// The files are written as the server's user, and change their owner at the end if
// as is not nil.
func unpack(ctx context.Context, tgz io.ReadSeeker, dir string, o Options, as *syscall.Credential) ([]safetar.Omission, error) {
	rules := safetar.Options{
		Top:    snapshotTop,
		Limits: safetar.Limits{Unpacked: o.MaxUnpacked, Entries: o.MaxEntries},
		Gunzip: func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	}
	if err := safetar.Verify(ctx, tgz, rules); err != nil {
		return nil, unpackError(err)
	}
	if _, err := tgz.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("builds: reading the snapshot: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("builds: opening the folder: %w", err)
	}
	u := &unpacker{root: root, at: root, made: map[string]bool{".": true}}
	leftOut, err := u.unpack(ctx, safetar.NewReader(tgz, rules))
	if err == nil && as != nil {
		err = u.chown(*as)
	}
	return leftOut, cmp.Or(err, u.close())
}

// unpackError converts an error of reading the snapshot; invalid snapshots get the
// code [core.CodePlatformBuildFailed].
func unpackError(err error) error {
	e, refused := errors.AsType[*core.Error](err)
	switch {
	case refused && e.Code == core.CodeTarNoPackage:
		return core.NewError(core.CodePlatformBuildFailed, "the snapshot contains no files", err)
	case refused:
		return core.NewError(core.CodePlatformBuildFailed, "the snapshot is refused: "+cmp.Or(e.Detail, "it is not a gzipped tar, or is damaged"), err)
	case errors.Is(err, safetar.ErrTruncated):
		return core.NewError(core.CodePlatformBuildFailed, "the snapshot is truncated", err)
	}
	return fmt.Errorf("builds: reading the snapshot: %w", err)
}

// unpacker writes an archive to a folder.
type unpacker struct {
	root *os.Root
	made map[string]bool // folders

	// The folder of the last member, as members are usually grouped by folder.
	at   *os.Root
	path string

	files []string // including links
}

func (u *unpacker) unpack(ctx context.Context, r *safetar.Reader) ([]safetar.Omission, error) {
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.LeftOut(), nil
		}
		if err != nil {
			return nil, unpackError(err)
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("builds: unpacking the snapshot: %w", context.Cause(ctx))
		}
		if err := u.write(m, r); err != nil {
			if r.Err() != nil {
				return nil, unpackError(r.Err())
			}
			return nil, fmt.Errorf("builds: unpacking the snapshot: %w", err)
		}
	}
}

func (u *unpacker) write(m safetar.Member, body io.Reader) error {
	if m.Kind == safetar.Folder {
		return u.folder(m.Name)
	}
	dir, name := path.Dir(m.Name), path.Base(m.Name)
	if err := u.enter(dir); err != nil {
		return err
	}
	u.files = append(u.files, m.Name)
	switch m.Kind {
	case safetar.Symlink:
		return u.at.Symlink(m.Target, name)
	case safetar.HardLink:
		return u.root.Link(m.Target, m.Name)
	}
	mode := fs.FileMode(0o644)
	if m.Executable {
		mode = 0o755
	}
	file, err := u.at.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, body)
	return errors.Join(err, file.Close())
}

// enter sets the folder that is written to.
func (u *unpacker) enter(dir string) error {
	if dir == cmp.Or(u.path, ".") {
		return nil
	}
	if err := u.folder(dir); err != nil {
		return err
	}
	at, err := u.root.OpenRoot(dir)
	if err != nil {
		return err
	}
	err = u.leave()
	u.at, u.path = at, dir
	return err
}

func (u *unpacker) leave() error {
	if u.at == u.root {
		return nil
	}
	return u.at.Close()
}

func (u *unpacker) close() error {
	if err := errors.Join(u.leave(), u.root.Close()); err != nil {
		return fmt.Errorf("builds: closing the folder: %w", err)
	}
	return nil
}

// folder creates a folder and those above it.
func (u *unpacker) folder(name string) error {
	if u.made[name] {
		return nil
	}
	if err := u.folder(path.Dir(name)); err != nil {
		return err
	}
	u.made[name] = true
	return u.root.Mkdir(name, 0o755)
}

// chown changes the owner of all unpacked files. Folders come last, the deepest
// first: until then the new owner can't replace their contents.
func (u *unpacker) chown(as syscall.Credential) error {
	folders := make([]string, 0, len(u.made))
	for name := range u.made {
		folders = append(folders, name)
	}
	depth := func(name string) int {
		if name == "." {
			return -1
		}
		return strings.Count(name, "/")
	}
	slices.SortFunc(folders, func(a, b string) int { return depth(b) - depth(a) })
	for _, name := range slices.Concat(u.files, folders) {
		if err := u.root.Lchown(name, int(as.Uid), int(as.Gid)); err != nil {
			return fmt.Errorf("builds: changing the owner of the files: %w", err)
		}
	}
	return nil
}
