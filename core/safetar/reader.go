package safetar

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Limits bounds an archive. Zero fields have defaults.
type Limits struct {
	Packed   int64 // bytes of the archive; 512 MiB
	Unpacked int64 // bytes of all files; 512 MiB
	Entries  int   // files, folders and links; 50,000
}

func (l Limits) withDefaults() Limits {
	l.Packed = cmp.Or(l.Packed, 512<<20)
	l.Unpacked = cmp.Or(l.Unpacked, 512<<20)
	l.Entries = cmp.Or(l.Entries, 50_000)
	return l
}

// Options are the settings of a [Reader].
type Options struct {
	Limits Limits
	Top    string // name of the top folder; "" for any
	Commit string // that the archive must be of, if it names one as git's archives do

	// Gunzip decompresses the archive. Default: package gzip's reader.
	Gunzip func(io.Reader) (io.Reader, error)
}

// Kind is what a [Member] is.
type Kind int

// The kinds of members.
const (
	File     Kind = iota
	Folder        // the folders above a member need not be members
	Symlink       // Target is relative to the link, and within the tree
	HardLink      // Target is the name of an earlier File
)

// Member is a checked member of an archive.
type Member struct {
	Name       string // below the top folder, with slashes
	Kind       Kind
	Size       int64  // of a File
	Executable bool   // a File's
	Target     string // a link's
	ModTime    time.Time
}

// ErrTruncated is the error of an archive that ends too early. Reading it
// again may help.
var ErrTruncated = fmt.Errorf("the archive is truncated: %w", io.ErrUnexpectedEOF)

// Omission is a member that was left out.
type Omission struct {
	Name   string
	Reason string
}

// maxOmissions is how many omissions are kept.
const maxOmissions = 100

// endMark is what ends an archive: two empty blocks.
const endMark = 1024

// Reader reads the members of an archive. It must not be used concurrently.
type Reader struct {
	o        Options
	source   *source
	unpacked *counter
	tar      *tar.Reader
	top      string
	tree     tree
	files    int64 // bytes of all files
	leftOut  []Omission
	err      error
}

// NewReader returns a Reader of the gzipped tar in src. It does not read from src.
func NewReader(src io.Reader, o Options) *Reader {
	o.Limits = o.Limits.withDefaults()
	if o.Gunzip == nil {
		o.Gunzip = func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }
	}
	return &Reader{
		o: o, top: o.Top,
		source: &source{counter{r: src, limit: o.Limits.Packed}},
		tree:   tree{kinds: map[string]byte{}, most: o.Limits.Entries},
	}
}

// Next returns the next member, and io.EOF after the last one, when the
// archive was read to its end. It fails with a [core.Error] of the deploy:tar
// codes if the archive is refused, with one of [core.CodeDownloadTarball] if it
// is of another commit, with [ErrTruncated], or with the error of the source.
// After an error it returns the same again.
func (r *Reader) Next() (Member, error) {
	for r.err == nil {
		m, err := r.next()
		if err != nil {
			r.err = r.cause(err)
			break
		}
		if m.Name != "" {
			return m, nil
		}
	}
	return Member{}, r.err
}

// Read reads the content of the current member, as [tar.Reader.Read] does.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.tar.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a reader's own EOF is this very value
		r.err = r.cause(err)
		err = r.err
	}
	return n, err
}

// Err returns the first error of reading, nil if there was none. It distinguishes
// an error of the archive from one of the writer that a member is copied to.
func (r *Reader) Err() error {
	if r.err == io.EOF { //nolint:errorlint // set to this very value
		return nil
	}
	return r.err
}

// LeftOut returns the members that were left out so far, at most 100 of them.
func (r *Reader) LeftOut() []Omission { return r.leftOut }

// Verify reads an archive to its end and returns the error that a Reader
// would return, without unpacking anything.
func Verify(ctx context.Context, src io.Reader, o Options) error {
	r := NewReader(src, o)
	for {
		if _, err := r.Next(); err != nil {
			return r.Err()
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
}

// next returns the next member, or none if it is to be skipped.
func (r *Reader) next() (Member, error) {
	if r.tar == nil {
		if err := r.open(); err != nil {
			return Member{}, err
		}
	} else if _, err := io.Copy(io.Discard, r.tar); err != nil {
		return Member{}, err
	}
	before := r.unpacked.n
	header, err := r.tar.Next()
	if errors.Is(err, io.EOF) {
		return Member{}, r.end(r.unpacked.n - before)
	}
	if err != nil {
		return Member{}, err
	}
	if header.Typeflag == tar.TypeXGlobalHeader {
		named := header.PAXRecords["comment"]
		if r.o.Commit != "" && core.ValidCommit(named) && named != r.o.Commit {
			return Member{}, core.Explain(core.CodeDownloadTarball, fmt.Errorf("the archive is of commit %s, want %s", named, r.o.Commit))
		}
		return Member{}, nil
	}
	return r.check(header)
}

func (r *Reader) open() error {
	unzipped, err := r.o.Gunzip(r.source)
	if err != nil {
		return err
	}
	// Headers count as well.
	r.unpacked = &counter{r: unzipped, limit: r.o.Limits.Unpacked + int64(r.o.Limits.Entries)*1536}
	r.tar = tar.NewReader(r.unpacked)
	return nil
}

// end reads what follows the last member: to package tar the end of its
// input is the end of the archive.
func (r *Reader) end(mark int64) error {
	if mark < endMark {
		return ErrTruncated
	}
	// gzip's checksum comes last.
	if _, err := io.Copy(io.Discard, r.unpacked); err != nil {
		return err
	}
	if len(r.tree.kinds) == 0 {
		return core.NewError(core.CodeTarNoPackage, "", nil)
	}
	return io.EOF
}

// check returns the member that a header describes, none for the top folder.
func (r *Reader) check(h *tar.Header) (Member, error) {
	name, err := r.name(h.Name, h.Typeflag == tar.TypeDir)
	if err != nil {
		return Member{}, refuse(h.Name, err)
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return Member{}, refuse(h.Name, errors.New("it is a sparse file"))
		}
	}
	if name == "" {
		return Member{}, nil
	}
	m := Member{Name: name, ModTime: h.ModTime.Truncate(time.Second)}
	switch h.Typeflag {
	case tar.TypeDir:
		m.Kind = Folder
	case tar.TypeReg:
		m.Size, m.Executable = h.Size, h.Mode&0o111 != 0
		if r.files += h.Size; r.files > r.o.Limits.Unpacked {
			return Member{}, tooLarge(fmt.Sprintf("its files have more than %s", size(r.o.Limits.Unpacked)))
		}
	case tar.TypeSymlink:
		m.Kind, m.Target = Symlink, h.Linkname
	case tar.TypeLink:
		m.Kind = HardLink
		if m.Target, err = r.name(h.Linkname, false); err != nil || r.tree.kinds[m.Target] != tar.TypeReg {
			return Member{}, refuse(h.Name, errors.New("it is a hard link to something other than an earlier file"))
		}
	default:
		return Member{}, refuse(h.Name, errors.New("it is a device, a pipe or the like"))
	}
	if err := r.tree.add(name, h.Typeflag); errors.Is(err, errTooMany) {
		return Member{}, tooLarge(fmt.Sprintf("it has more than %d files, folders and links", r.o.Limits.Entries))
	} else if err != nil {
		return Member{}, refuse(h.Name, err)
	}
	if m.Kind == Symlink {
		if err := CheckLink(name, m.Target); err != nil {
			if len(r.leftOut) < maxOmissions {
				r.leftOut = append(r.leftOut, Omission{name, "it is a link, and " + err.Error()})
			}
			return Member{}, nil
		}
	}
	return m, nil
}

// name returns a member's name below the top folder.
func (r *Reader) name(name string, folder bool) (string, error) {
	if folder && (name == "./" || name == ".") {
		return "", nil
	}
	top, rest, err := checkName(name, folder)
	if err != nil {
		return "", err
	}
	if r.top == "" {
		r.top = top
	}
	if top != r.top {
		return "", fmt.Errorf("it is not in the top folder %.100q", r.top)
	}
	return rest, nil
}

// cause returns the error to report for an error of reading the archive.
func (r *Reader) cause(err error) error {
	if s, ok := errors.AsType[*sourceError](err); ok {
		return s.error
	}
	if _, known := errors.AsType[*core.Error](err); known {
		return err
	}
	switch {
	case errors.Is(err, io.EOF) && r.tar != nil:
		return io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrTruncated
	}
	return core.Explain(core.CodeTarCorrupt, err)
}

// counter bounds how much is read.
type counter struct {
	r     io.Reader
	n     int64
	limit int64
}

// Read reads from the reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n += int64(n); c.n > c.limit {
		return 0, tooLarge("it has more than " + size(c.limit))
	}
	return n, err
}

// source is the packed archive. It may be read by another goroutine than the
// rest, if [Options.Gunzip] reads ahead.
type source struct{ counter }

// Read reads from the reader, and marks its errors.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.counter.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a reader's own EOF is this very value
		err = &sourceError{err}
	}
	return n, err
}

// sourceError marks an error of the source, as against one of the archive.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

// refuse returns the error of an archive that is refused for a member.
func refuse(name string, why error) error {
	name = clip(name)
	e := core.NewError(core.CodeTarUnsafe, fmt.Sprintf("%s %s: %v; rename or remove it", refusal, quoted(name), why), nil)
	e.Detail = fmt.Sprintf("%q: %v", name, why)
	return e
}

// quoted returns a name as it is safe to show. Reasons are read in JSON, in which a
// double quote has a backslash.
func quoted(name string) string { return "'" + strings.Trim(strconv.Quote(name), `"`) + "'" }

// refusal begins the reasons, as those of the catalogue.
const refusal = "There was a system failure when extracting the tar:"

func tooLarge(why string) error {
	e := core.NewError(core.CodeTarTooLarge, fmt.Sprintf("%s %s, the limit of the server; remove large or generated files", refusal, why), nil)
	e.Detail = why
	return e
}

// clip shortens a name for a message.
func clip(name string) string {
	const most = 200
	if len(name) > most {
		name = name[:most] + "…"
	}
	return strings.ToValidUTF8(name, "\ufffd")
}

func size(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}
