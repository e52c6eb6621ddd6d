package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// level is the level of compression. It must not change, as the same files have to
// make the same layer.
const level = 5

// layer is a layer in a file.
type layer struct {
	file         string
	kind         types.MediaType
	digest, diff v1.Hash
	size         int64
}

var _ v1.Layer = (*layer)(nil)

func (l *layer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)             { return l.diff, nil }
func (l *layer) Size() (int64, error)                 { return l.size, nil }
func (l *layer) MediaType() (types.MediaType, error)  { return l.kind, nil }
func (l *layer) Compressed() (io.ReadCloser, error)   { return os.Open(l.file) }
func (l *layer) Uncompressed() (io.ReadCloser, error) { return nil, errors.ErrUnsupported }

// folderLayer writes a layer in which the folder dir is at the path to. It depends on
// nothing but the names, contents and executable bits of the files. Links that lead
// out of the folder are left out.
func folderLayer(ctx context.Context, file, dir, to string, kind types.MediaType) (v1.Layer, error) {
	return writeLayer(file, kind, User, func(w *archive) error {
		return filepath.WalkDir(dir, func(at string, entry fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(dir, at)
			if err != nil {
				return err
			}
			return add(w, dir, at, path.Join(to, filepath.ToSlash(rel)), entry.Type())
		})
	})
}

// fileLayer writes a layer with an executable file at the path to.
func fileLayer(ctx context.Context, file, from, to string, kind types.MediaType) (v1.Layer, error) {
	return writeLayer(file, kind, 0, func(w *archive) error {
		if err := w.WriteHeader(header(path.Dir(to), tar.TypeDir, 0o755)); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return addFile(w, from, to)
	})
}

// add adds a file of the folder dir to a layer.
func add(w *archive, dir, at, name string, kind fs.FileMode) error {
	switch {
	case kind.IsDir():
		return w.WriteHeader(header(name, tar.TypeDir, 0o755))
	case kind.IsRegular():
		return addFile(w, at, name)
	case kind&fs.ModeSymlink != 0:
		target, err := os.Readlink(at)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, filepath.Join(filepath.Dir(at), target))
		if err != nil || filepath.IsAbs(target) || !filepath.IsLocal(rel) {
			return nil //nolint:nilerr // it leads out of the folder
		}
		h := header(name, tar.TypeSymlink, 0o777)
		h.Linkname = filepath.ToSlash(target)
		return w.WriteHeader(h)
	}
	return nil // a socket or the like, which an image can't have
}

func addFile(w *archive, from, name string) error {
	file, err := os.Open(from) //nolint:gosec // found in the folder
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	h := header(name, tar.TypeReg, mode)
	h.Size = info.Size()
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.CopyN(w, file, info.Size())
	return err
}

// archive is a tar whose files belong to one user.
type archive struct {
	*tar.Writer
	owner int // uid and gid
}

// WriteHeader writes the header of a file of the owner.
func (a *archive) WriteHeader(h *tar.Header) error {
	h.Uid, h.Gid = a.owner, a.owner
	return a.Writer.WriteHeader(h)
}

// header returns the header of a file.
func header(name string, kind byte, mode int64) *tar.Header {
	name = strings.TrimPrefix(name, "/")
	if kind == tar.TypeDir {
		name += "/"
	}
	return &tar.Header{Name: name, Typeflag: kind, Mode: mode, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
}

// writeLayer writes a compressed layer to a file, whose files belong to owner.
func writeLayer(name string, kind types.MediaType, owner int, write func(*archive) error) (v1.Layer, error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // in the builder's own folder
	if err != nil {
		return nil, err
	}
	packed, plain := sha256.New(), sha256.New()
	zip, err := gzip.NewWriterLevel(io.MultiWriter(file, packed), level)
	if err == nil {
		w := &archive{tar.NewWriter(io.MultiWriter(zip, plain)), owner}
		err = errors.Join(write(w), w.Close(), zip.Close())
	}
	var size int64
	if info, failed := file.Stat(); failed == nil {
		size = info.Size()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("writing a layer: %w", err)
	}
	hash := func(sum []byte) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum)} }
	return &layer{file: name, kind: kind, size: size, digest: hash(packed.Sum(nil)), diff: hash(plain.Sum(nil))}, nil
}
