package deploy

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/safetar"
)

// snapshotRoot is the one top folder of a snapshot, as npm packs.
const snapshotRoot = "package"

// repack writes the members of src as a tar to dst, below one top folder
// "package", and returns what a person should know about them.
//
// A source that ends too early, or breaks, is core.Transient.
func repack(dst io.Writer, src *safetar.Reader) (notes []string, err error) {
	out, seen := tar.NewWriter(dst), &missing{}
	for {
		member, err := src.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, sourceError(err)
		}
		if err := out.WriteHeader(header(member)); err != nil {
			return nil, err
		}
		if member.Kind != safetar.File {
			continue
		}
		if _, err := io.Copy(out, seen.look(member, src)); err != nil {
			if src.Err() != nil {
				return nil, sourceError(src.Err())
			}
			return nil, err
		}
	}
	return seen.notes(src.LeftOut()), out.Close()
}

// header returns the header of a member, without whatever does not matter.
func header(m safetar.Member) *tar.Header {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: snapshotRoot + "/" + m.Name, Size: m.Size, Mode: 0o644,
		ModTime: m.ModTime, Format: tar.FormatPAX,
	}
	switch {
	case m.Kind == safetar.Folder:
		h.Typeflag, h.Mode, h.Name = tar.TypeDir, 0o755, h.Name+"/"
	case m.Kind == safetar.Symlink:
		h.Typeflag, h.Mode, h.Linkname = tar.TypeSymlink, 0o777, m.Target
	case m.Kind == safetar.HardLink:
		h.Typeflag, h.Linkname = tar.TypeLink, snapshotRoot+"/"+m.Target
	case m.Executable:
		h.Mode = 0o755
	}
	return h
}

// sourceError returns the failure that an error of reading the archive means.
func sourceError(err error) error {
	if _, ok := errors.AsType[*core.Error](err); ok {
		return err
	}
	return core.Explain(core.CodeDownloadTarball, core.Transient(err, 0))
}

// missing finds what a forge leaves out of its archives.
type missing struct {
	submodules []string // paths
	pointers   []string // paths of files that are pointers of Git LFS
	count      int      // of all pointers
}

const (
	maxPointer  = 1024 // a pointer of Git LFS is smaller (git-lfs docs/spec.md)
	pointerMark = "version https://git-lfs.github.com/spec/v1\n"
	maxModules  = 64 << 10 // of a .gitmodules that is read
	maxNamed    = 5        // paths that a note names
)

// look returns the content of a file, from r, and has a look at it.
func (m *missing) look(file safetar.Member, r io.Reader) io.Reader {
	modules := file.Name == ".gitmodules" && file.Size <= maxModules
	if !modules && (file.Size > maxPointer || file.Size < int64(len(pointerMark))) {
		return r
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return r // which fails again
	}
	switch {
	case modules:
		m.submodules = submodules(string(text))
	case bytes.HasPrefix(text, []byte(pointerMark)):
		if m.count++; m.count <= maxNamed {
			m.pointers = append(m.pointers, file.Name)
		}
	}
	return bytes.NewReader(text)
}

// submodules returns the paths in a .gitmodules file. See gitmodules(5).
func submodules(text string) []string {
	var paths []string
	for line := range strings.SplitSeq(text, "\n") {
		key, value, ok := strings.Cut(line, "=")
		if path := strings.Trim(strings.TrimSpace(value), `"`); ok && strings.TrimSpace(key) == "path" && path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// notes returns what to say about it, and about members that were left out.
func (m *missing) notes(leftOut []safetar.Omission) []string {
	var notes []string
	if len(m.submodules) > 0 {
		notes = append(notes, fmt.Sprintf("The repository has submodules (%s), which the forge leaves out of its archives, so these folders are empty; add their files to the repository, or depend on them in package.json", names(m.submodules, len(m.submodules))))
	}
	if m.count > 0 {
		notes = append(notes, fmt.Sprintf("Files are pointers of Git LFS instead of their content (%s); have the forge include Git LFS objects in archives (on GitHub in the repository's settings, Archives)", names(m.pointers, m.count)))
	}
	for _, o := range leftOut[:min(len(leftOut), maxNamed)] {
		notes = append(notes, fmt.Sprintf("%q was left out: %s", cut(o.Name), o.Reason))
	}
	if more := len(leftOut) - maxNamed; more > 0 {
		notes = append(notes, fmt.Sprintf("%d more links were left out as they lead out of the repository", more))
	}
	return notes
}

// names lists the first paths, and how many there are more.
func names(paths []string, all int) string {
	shown := make([]string, 0, maxNamed)
	for _, path := range paths[:min(len(paths), maxNamed)] {
		shown = append(shown, cut(path))
	}
	text := strings.Join(shown, ", ")
	if more := all - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// cut returns a path as a note can show it.
func cut(path string) string {
	printable := strings.Map(func(r rune) rune {
		if r < ' ' || slices.Contains([]rune{0x7f, '\u2028', '\u2029'}, r) {
			return '\ufffd'
		}
		return r
	}, path)
	return clip(printable, 200)
}
