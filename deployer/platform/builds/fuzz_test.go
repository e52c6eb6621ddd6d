package builds

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// seeds returns the seed corpus of tars.
func seeds(f *testing.F) [][]byte {
	f.Helper()
	var all [][]byte
	for _, headers := range [][]tar.Header{
		{{Name: "package/package.json", Typeflag: tar.TypeReg, Mode: 0o644, Size: 2}},
		{{Name: "package/a/", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: "package/a/b", Typeflag: tar.TypeReg, Mode: 0o4755, Size: 2}},
		{{Name: "package/a/l", Typeflag: tar.TypeSymlink, Linkname: "../b"}, {Name: "package/b", Typeflag: tar.TypeReg, Size: 2}},
		{{Name: "package/b", Typeflag: tar.TypeReg, Size: 2}, {Name: "package/h", Typeflag: tar.TypeLink, Linkname: "package/b"}},
		{{Name: "package/l", Typeflag: tar.TypeSymlink, Linkname: ".."}, {Name: "package/l/x", Typeflag: tar.TypeReg, Size: 2}},
		{{Name: "package/" + strings.Repeat("long/", 30) + "b", Typeflag: tar.TypeReg, Size: 2, Format: tar.FormatPAX}},
		{{Name: "package/" + strings.Repeat("long/", 30) + "b", Typeflag: tar.TypeReg, Size: 2, Format: tar.FormatGNU}},
		{{Name: "package/../../x", Typeflag: tar.TypeReg, Size: 2}},
		{{Name: "package/d", Typeflag: tar.TypeChar}},
	} {
		var text bytes.Buffer
		out := tar.NewWriter(&text)
		for _, header := range headers {
			if err := out.WriteHeader(&header); err != nil {
				f.Fatal(err)
			}
			if header.Typeflag == tar.TypeReg {
				if _, err := io.WriteString(out, "{}"); err != nil {
					f.Fatal(err)
				}
			}
		}
		if err := out.Close(); err != nil {
			f.Fatal(err)
		}
		all = append(all, text.Bytes())
	}
	return all
}

// Whatever a tar contains, nothing is created outside of the folder, and inside only
// files, folders, and links that do not lead out of it.
func FuzzUnpack(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.Clone(text)
		fixChecksums(text)
		var packed bytes.Buffer
		zipped, err := gzip.NewWriterLevel(&packed, gzip.NoCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := zipped.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := zipped.Close(); err != nil {
			t.Fatal(err)
		}
		top := t.TempDir()
		dir := filepath.Join(top, "app")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err = unpack(t.Context(), bytes.NewReader(packed.Bytes()), dir, Options{MaxUnpacked: 1 << 20, MaxEntries: 50}, nil)
		if err != nil && core.CodeOf(err) != core.CodePlatformBuildFailed {
			t.Fatalf("error without the code of a failed build: %v", err)
		}
		err = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			if !strings.HasPrefix(path, dir+"/") {
				t.Errorf("created %s", path)
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			switch mode := info.Mode(); {
			case mode.IsRegular() && mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) == 0:
			case mode.Type() == fs.ModeSymlink:
				to, err := filepath.EvalSymlinks(path)
				if err == nil && to != dir && !strings.HasPrefix(to, dir+"/") {
					t.Errorf("%s leads to %s", path, to)
				}
			default:
				t.Errorf("created %s with mode %v", path, mode)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// fixChecksums corrects the checksums of headers, so that mutated headers are not
// refused at once.
func fixChecksums(text []byte) {
	for at := 0; at+512 <= len(text); at += 512 {
		header := text[at : at+512]
		if string(header[257:262]) != "ustar" {
			continue
		}
		copy(header[148:156], "        ")
		sum := 0
		for _, b := range header {
			sum += int(b)
		}
		for i := range 6 {
			header[148+i] = '0' + byte(sum>>(3*(5-i))&7)
		}
		header[154] = 0
	}
}
