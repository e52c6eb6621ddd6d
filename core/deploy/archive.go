package deploy

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nodejitsu/webhooks/core"
)

// ArchiveLimits bounds what of a repository is taken. Zero fields have
// defaults.
type ArchiveLimits struct {
	Packed   int64 // bytes of the tarball; 256 MiB
	Unpacked int64 // bytes of all files; 512 MiB
	Entries  int   // files, folders and links; 50,000
	Ratio    int64 // unpacked to packed, once 10 MiB are unpacked; 200
}

func (l ArchiveLimits) withDefaults() ArchiveLimits {
	orDefault(&l.Packed, 256<<20)
	orDefault(&l.Unpacked, 512<<20)
	orDefault(&l.Entries, 50_000)
	orDefault(&l.Ratio, 200)
	return l
}

const (
	maxPath      = 1024
	maxPart      = 255 // of a path; what file systems take
	maxDepth     = 64
	endMark      = 1024
	ratioFrom    = 10 << 20
	snapshotRoot = "package" // as npm packs
)

// repack copies the gzipped tar in src as a tar to dst, with its one top
// folder renamed to "package", and refuses the whole where any part of it
// could do harm when it is unpacked: nothing is left out silently. Where the
// tarball names its commit (git does, in a PAX header), it must be commit.
//
// A source that ends too early, or breaks, is core.Transient.
func repack(dst io.Writer, src io.Reader, commit string, limits ArchiveLimits) error {
	packed := &counter{r: src, most: limits.Packed}
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return sourceError(err)
	}
	unpacked := &counter{r: unzipped, most: limits.Unpacked + int64(limits.Entries)*1536, packed: packed, ratio: limits.Ratio}
	in, out := tar.NewReader(unpacked), tar.NewWriter(dst)
	c := checker{limits: limits, seen: map[string]byte{}, folded: map[string]string{}}
	for {
		before := unpacked.n
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			// tar.Reader takes the end of what it reads for the end of the
			// archive. git writes what marks that: two empty blocks.
			if unpacked.n-before < endMark {
				return sourceError(io.ErrUnexpectedEOF)
			}
			break
		}
		if err != nil {
			return sourceError(err)
		}
		if header.Typeflag == tar.TypeXGlobalHeader {
			if named := header.PAXRecords["comment"]; core.ValidCommit(named) && named != commit {
				return core.NewError(core.CodeDownloadTarball, "", fmt.Errorf("the tarball is of commit %s, not of %s", named, commit))
			}
			continue
		}
		clean, err := c.check(header)
		if err != nil {
			return err
		}
		if clean == nil {
			continue // the top folder itself
		}
		if err := out.WriteHeader(clean); err != nil {
			return err
		}
		if _, err := io.Copy(writeOnly{out}, in); err != nil { //nolint:gosec // counter bounds it
			return sourceError(err)
		}
	}
	// What stands behind the end is read as well: it holds gzip's checksum.
	if _, err := io.Copy(io.Discard, unpacked); err != nil {
		return sourceError(err)
	}
	if len(c.seen) == 0 {
		return core.NewError(core.CodeTarNoPackage, "", nil)
	}
	return out.Close()
}

// writeOnly keeps io.Copy from taking shortcuts that hide whose error it is.
type writeOnly struct{ io.Writer }

func (w writeOnly) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		err = &sinkError{err}
	}
	return n, err
}

// sinkError marks an error as the reader's of what we write.
type sinkError struct{ error }

func (s *sinkError) Unwrap() error { return s.error }

// sourceError says what an error means that reading the tarball met.
func sourceError(err error) error {
	var sink *sinkError
	var known *core.Error
	switch {
	case errors.As(err, &sink):
		return sink.error
	case errors.As(err, &known):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return core.NewError(core.CodeDownloadTarball, "", core.Transient(fmt.Errorf("the tarball is cut off: %w", io.ErrUnexpectedEOF), 0))
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong), strings.HasPrefix(err.Error(), "flate:"):
		return core.NewError(core.CodeTarCorrupt, "", err)
	}
	return core.NewError(core.CodeDownloadTarball, "", core.Transient(err, 0))
}

// counter bounds how much is read, and how much comes out of how little.
type counter struct {
	r      io.Reader
	n      int64
	most   int64
	packed *counter
	ratio  int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.n > c.most {
		return n, core.NewError(core.CodeTarTooLarge, "", fmt.Errorf("more than %d bytes", c.most))
	}
	if c.packed != nil && c.n > ratioFrom && c.n > c.packed.n*c.ratio {
		return n, core.NewError(core.CodeTarTooLarge, "", fmt.Errorf("it unpacks to more than %d times its size", c.ratio))
	}
	return n, err
}

// checker judges the members of one tarball.
type checker struct {
	limits  ArchiveLimits
	top     string
	entries int
	bytes   int64
	seen    map[string]byte   // path within the tree → type
	folded  map[string]string // the same as it is where case does not count → path
}

// check returns the header to write for a member, nil for the top folder.
func (c *checker) check(h *tar.Header) (*tar.Header, error) {
	if c.entries++; c.entries > c.limits.Entries {
		return nil, core.NewError(core.CodeTarTooLarge, "", fmt.Errorf("more than %d files", c.limits.Entries))
	}
	name, err := c.path(h.Name)
	if err != nil {
		return nil, err
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return nil, unsafe(h.Name, "it is a sparse file")
		}
	}
	clean := &tar.Header{
		Typeflag: h.Typeflag, Name: snapshotRoot + "/" + name, Mode: 0o644,
		ModTime: h.ModTime.Truncate(time.Second), Format: tar.FormatPAX,
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if name == "" {
			return nil, nil
		}
		clean.Mode, clean.Name = 0o755, clean.Name+"/"
	case tar.TypeReg:
		if c.bytes += h.Size; c.bytes > c.limits.Unpacked {
			return nil, core.NewError(core.CodeTarTooLarge, "", fmt.Errorf("more than %d bytes unpacked", c.limits.Unpacked))
		}
		clean.Size = h.Size
		if h.Mode&0o100 != 0 {
			clean.Mode = 0o755
		}
	case tar.TypeSymlink:
		if err := inside(name, h.Linkname); err != nil {
			return nil, err
		}
		clean.Linkname, clean.Mode = h.Linkname, 0o777
	default:
		return nil, unsafe(h.Name, "it is a device, a hard link or the like")
	}
	if name == "" {
		return nil, unsafe(h.Name, "the top of the tarball must be a folder")
	}
	return clean, c.place(name, h.Typeflag)
}

// path returns a member's path below the top folder, "" for that folder.
func (c *checker) path(name string) (string, error) {
	clean := strings.TrimSuffix(name, "/")
	switch {
	case clean == "" || len(clean) > maxPath || longest(clean) > maxPart || strings.Count(clean, "/") > maxDepth:
		return "", unsafe(name, "its path is empty, too long or too deep")
	case !utf8.ValidString(clean) || strings.ContainsAny(clean, "\x00\\"):
		return "", unsafe(name, "its path has characters that no path may have")
	case strings.HasPrefix(clean, "/") || path.Clean(clean) != clean || clean == ".." || strings.HasPrefix(clean, "../"):
		return "", unsafe(name, "its path leaves the tree")
	}
	top, rest, _ := strings.Cut(clean, "/")
	if c.top == "" {
		c.top = top
	}
	if top != c.top || top == "." {
		return "", unsafe(name, "it stands outside of the one top folder")
	}
	return rest, nil
}

// place notes the member and refuses one that comes twice, or that stands
// below something that is no folder: what is unpacked would then depend on
// the order.
func (c *checker) place(name string, kind byte) error {
	if before, there := c.seen[name]; there {
		if before != tar.TypeDir || kind != tar.TypeDir {
			return unsafe(name, "it comes twice")
		}
		return nil
	}
	for above := path.Dir(name); above != "."; above = path.Dir(above) {
		kind, there := c.seen[above]
		if there && kind != tar.TypeDir {
			return unsafe(name, "it stands below something that is no folder")
		}
		if there {
			break
		}
		// A folder that is only implied is one too.
		if c.entries++; c.entries > c.limits.Entries {
			return core.NewError(core.CodeTarTooLarge, "", fmt.Errorf("more than %d files", c.limits.Entries))
		}
		if err := c.claim(above, tar.TypeDir); err != nil {
			return err
		}
	}
	return c.claim(name, kind)
}

// claim notes a path and refuses one that differs from another by case alone:
// where that does not count, the one would take the other's place.
func (c *checker) claim(name string, kind byte) error {
	folded := strings.ToLower(strings.ToUpper(name))
	if twin, there := c.folded[folded]; there {
		return unsafe(name, fmt.Sprintf("but for its case it is %q", clip(twin, 200)))
	}
	c.seen[name], c.folded[folded] = kind, name
	return nil
}

// longest returns the length of the longest part of a path, in bytes.
func longest(name string) int {
	most := 0
	for part := range strings.SplitSeq(name, "/") {
		most = max(most, len(part))
	}
	return most
}

// inside tells whether a link at name leads to somewhere in the tree. It may
// climb at its beginning alone, where it starts from real folders: behind a
// name, which may be a link itself, ".." leads to who knows where.
func inside(name, target string) error {
	out := unsafe(name, "it links out of the tree")
	if target == "" || len(target) > maxPath || strings.HasPrefix(target, "/") ||
		strings.ContainsAny(target, "\x00\\") || !utf8.ValidString(target) {
		return out
	}
	height, named := strings.Count(name, "/"), false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if height--; named || height < 0 {
				return out
			}
		default:
			named = true
		}
	}
	return nil
}

func unsafe(name, why string) error {
	e := core.NewError(core.CodeTarUnsafe, "", nil)
	e.Detail = fmt.Sprintf("%q: %s", clip(name, 200), why)
	return e
}
