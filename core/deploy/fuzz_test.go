package deploy

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"
)

// FuzzRepackTar is FuzzRepack behind gzip, whose checksum no fuzzer guesses:
// what comes out is whole, and a tree of files, folders and links of its own.
func FuzzRepackTar(f *testing.F) {
	plain := block("r/a", tar.TypeReg, "", "a")
	for _, parts := range [][]string{
		{plain, ended},
		{block("r/d/", tar.TypeDir, "", ""), block("r/d/l", tar.TypeSymlink, "../a", ""), plain, ended},
		{block("g", tar.TypeXGlobalHeader, "", record("comment", commitA)), plain, ended},
		{local(record("path", "r/"+strings.Repeat("long/", 30)+"b")), plain, ended},
		{block("././@LongLink", tar.TypeGNULongName, "", "r/"+strings.Repeat("long/", 30)+"b\x00"), plain, ended},
		{local(record("linkpath", "../b")), block("r/d/l", tar.TypeSymlink, "", ""), ended},
		{local(record("GNU.sparse.map", "0,1")), plain, ended},
		{block("r/h", tar.TypeLink, "r/a", ""), ended},
	} {
		text := strings.Join(parts, "")
		f.Add([]byte(strings.TrimSuffix(text, ended) + strings.Repeat("\x00", 1024)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.Clone(text)
		mend(text)
		var out bytes.Buffer
		limits := ArchiveLimits{Packed: 1 << 20, Unpacked: 1 << 20, Entries: 100}
		if repack(&out, bytes.NewReader(zip(t, string(text))), commitA, limits.withDefaults()) != nil {
			return
		}
		in, kinds := tar.NewReader(&out), map[string]byte{}
		for {
			h, err := in.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("what came out can't be read: %v", err)
			}
			name := strings.TrimSuffix(h.Name, "/")
			if !strings.HasPrefix(name, snapshotRoot+"/") || path.Clean(name) != name || strings.ContainsAny(name, "\\\x00") {
				t.Fatalf("%q came out", h.Name)
			}
			if kind, there := kinds[name]; there && kind != tar.TypeDir || kinds[path.Dir(name)] == tar.TypeSymlink {
				t.Fatalf("%q came out, over or through another", h.Name)
			}
			switch kinds[name] = h.Typeflag; h.Typeflag {
			case tar.TypeReg, tar.TypeDir:
			case tar.TypeSymlink:
				if to := path.Join(path.Dir(name), h.Linkname); path.IsAbs(h.Linkname) || to != snapshotRoot && !strings.HasPrefix(to, snapshotRoot+"/") {
					t.Fatalf("%q came out, a link to %q", h.Name, h.Linkname)
				}
			default:
				t.Fatalf("%q came out, of type %q", h.Name, h.Typeflag)
			}
		}
	})
}

// mend writes the checksums that headers should have, else nothing that was
// changed would be looked at.
func mend(text []byte) {
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
		copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
	}
}
