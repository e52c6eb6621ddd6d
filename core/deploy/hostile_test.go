package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// block is one member of a tar as its author wrote it, byte by byte: what
// tar.Writer would refuse to write.
func block(name string, kind byte, link, body string) string {
	header := make([]byte, 512)
	copy(header, name)
	copy(header[100:], "0000644\x000000000\x000000000\x00")
	copy(header[124:], fmt.Sprintf("%011o\x00%011o\x00", len(body), 0))
	header[156] = kind
	copy(header[157:], link)
	copy(header[257:], "ustar\x0000")
	copy(header[148:], "        ")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
	return string(header) + body + strings.Repeat("\x00", (512-len(body)%512)%512)
}

// record is one of a PAX header.
func record(key, value string) string {
	size := len(key) + len(value) + 3
	for size < len(fmt.Sprint(size))+len(key)+len(value)+3 {
		size++
	}
	return fmt.Sprintf("%d %s=%s\n", size, key, value)
}

func local(records string) string { return block("PaxHeaders/x", tar.TypeXHeader, "", records) }

const ended = "\x00" // a tar that ends as it should

// zip packs parts of a tar; ended adds its end.
func zip(t testing.TB, parts ...string) []byte {
	t.Helper()
	text := strings.Join(parts, "")
	if len(parts) > 0 && parts[len(parts)-1] == ended {
		text = strings.TrimSuffix(text, ended) + strings.Repeat("\x00", 1024)
	}
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	if _, err := io.WriteString(zipped, text); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// unpacked returns what came out of repack, path to body.
func unpacked(t *testing.T, text []byte) map[string]string {
	t.Helper()
	got := map[string]string{}
	in := tar.NewReader(bytes.NewReader(text))
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = string(body)
	}
}

// What no library would write is refused as a whole, and for good.
func TestRepackRefusesForgedTarballs(t *testing.T) {
	t.Parallel()
	plain := block("r/a", tar.TypeReg, "", "a")
	file := func(name string) string { return block(name, tar.TypeReg, "", "x") }
	sparse := local(record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", "r/s") + record("GNU.sparse.realsize", "1099511627776"))
	for name, test := range map[string]struct {
		parts []string
		want  core.Code
	}{
		"NUL in a PAX path":           {[]string{plain, local(record("path", "r/b\x00/../../x")), file("r/b"), ended}, core.CodeTarCorrupt},
		"PAX path that climbs":        {[]string{plain, local(record("path", "r/../../etc/x")), file("r/b"), ended}, core.CodeTarUnsafe},
		"PAX path, absolute":          {[]string{plain, local(record("path", "/etc/x")), file("r/b"), ended}, core.CodeTarUnsafe},
		"PAX link that climbs":        {[]string{plain, local(record("linkpath", "../../etc")), block("r/l", tar.TypeSymlink, "a", ""), ended}, core.CodeTarUnsafe},
		"GNU long name that climbs":   {[]string{plain, block("././@LongLink", tar.TypeGNULongName, "", "r/"+strings.Repeat("../", 60)+"x\x00"), file("r/b"), ended}, core.CodeTarUnsafe},
		"GNU long name, very long":    {[]string{plain, block("././@LongLink", tar.TypeGNULongName, "", "r/"+strings.Repeat("ab/", 400)+"x\x00"), file("r/b"), ended}, core.CodeTarUnsafe},
		"GNU long link out":           {[]string{plain, block("././@LongLink", tar.TypeGNULongLink, "", strings.Repeat("../", 60)+"x\x00"), block("r/l", tar.TypeSymlink, "a", ""), ended}, core.CodeTarUnsafe},
		"PAX path without end":        {[]string{plain, local("99999 path=r/b\n"), file("r/b"), ended}, core.CodeTarCorrupt},
		"PAX record of no size":       {[]string{plain, local("-1 path=r/b\n"), file("r/b"), ended}, core.CodeTarCorrupt},
		"PAX size below zero":         {[]string{plain, local(record("size", "-1")), file("r/b"), ended}, core.CodeTarCorrupt},
		"PAX size of a terabyte":      {[]string{plain, local(record("size", "1099511627776")), file("r/b"), ended}, core.CodeTarTooLarge},
		"PAX header of 2 MiB":         {[]string{plain, local(record("comment", strings.Repeat("c", 2<<20))), file("r/b"), ended}, core.CodeTarCorrupt},
		"sparse, PAX":                 {[]string{plain, sparse, block("r/s", tar.TypeReg, "", "1\n0\n0\n"+strings.Repeat("\x00", 506)), ended}, core.CodeTarUnsafe},
		"sparse, GNU":                 {[]string{plain, strings.Replace(block("r/s", tar.TypeGNUSparse, "", ""), "ustar\x0000", "ustar  \x00", 1), ended}, core.CodeTarCorrupt},
		"folder, then through a name": {[]string{block("r/A", tar.TypeSymlink, ".", ""), file("r/a/x"), ended}, core.CodeTarUnsafe},
		"hard link to itself":         {[]string{block("r/h", tar.TypeLink, "r/h", ""), ended}, core.CodeTarUnsafe},
		"hard link to a link":         {[]string{plain, block("r/l", tar.TypeSymlink, "a", ""), block("r/h", tar.TypeLink, "r/l", ""), ended}, core.CodeTarUnsafe},
		"block device":                {[]string{plain, block("r/b", tar.TypeBlock, "", ""), ended}, core.CodeTarUnsafe},
		"contiguous":                  {[]string{plain, block("r/c", tar.TypeCont, "", ""), ended}, core.CodeTarUnsafe},
		"of a type nobody knows":      {[]string{plain, block("r/q", 'Q', "", ""), ended}, core.CodeTarUnsafe},
		"no checksum":                 {[]string{plain, strings.Replace(file("r/b"), "r/b", "r/c", 1), ended}, core.CodeTarCorrupt},
		"garbage for a header":        {[]string{plain, strings.Repeat("g", 512), ended}, core.CodeTarCorrupt},
		"case twins":                  {[]string{plain, file("r/A"), ended}, core.CodeTarUnsafe},
		"case twins above":            {[]string{file("r/Dir/a"), file("r/dir/b"), ended}, core.CodeTarUnsafe},
		"case twins beyond ASCII":     {[]string{file("r/STRASSE"), file("r/straſſe"), ended}, core.CodeTarUnsafe},
		"a part no disk takes":        {[]string{plain, local(record("path", "r/"+strings.Repeat("x", 256))), file("r/b"), ended}, core.CodeTarUnsafe},
		"empty part":                  {[]string{plain, file("r//b"), ended}, core.CodeTarUnsafe},
		"a space for a top":           {[]string{plain, file(" /b"), ended}, core.CodeTarUnsafe},
		"folder twice as a link":      {[]string{block("r/d/", tar.TypeDir, "", ""), block("r/d", tar.TypeSymlink, ".", ""), ended}, core.CodeTarUnsafe},
		"link twice":                  {[]string{block("r/l", tar.TypeSymlink, "a", ""), block("r/l", tar.TypeSymlink, "b", ""), ended}, core.CodeTarUnsafe},
		"another commit further on": {
			[]string{
				block("pax_global_header", tar.TypeXGlobalHeader, "", record("comment", commitA)), plain,
				block("pax_global_header", tar.TypeXGlobalHeader, "", record("comment", strings.Repeat("b", 40))), ended,
			}, core.CodeDownloadTarball,
		},
		"link by a link": {[]string{
			block("r/t/", tar.TypeDir, "", ""), block("r/p/q/r", tar.TypeSymlink, "../../t", ""),
			block("r/l", tar.TypeSymlink, "p/q/r/../../../x", ""), ended,
		}, core.CodeTarUnsafe},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := repack(io.Discard, bytes.NewReader(zip(t, test.parts...)), commitA, ArchiveLimits{}.withDefaults())
			if got := core.CodeOf(err); got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
			if _, again := core.Retryable(err); again {
				t.Errorf("%v would be tried again", err)
			}
			if e := core.AsError(err); e != nil && strings.ContainsAny(e.Detail, "\x00\n") {
				t.Errorf("the detail is not quoted: %q", e.Detail)
			}
		})
	}
}

// What only looks odd is taken, as git can hold it, and nothing of it comes
// out otherwise than as plain files, folders and links.
func TestRepackTakesWhatIsOddOnly(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long/", 40) + "name"
	plain := block("r/a", tar.TypeReg, "", "a")
	for name, test := range map[string]struct {
		body []byte
		want map[string]string
	}{
		"PAX long name":    {zip(t, plain, local(record("path", "r/"+long)), block("r/b", tar.TypeReg, "", "b"), ended), map[string]string{"a": "a", long: "b"}},
		"GNU long name":    {zip(t, plain, block("././@LongLink", tar.TypeGNULongName, "", "r/"+long+"\x00"), block("r/b", tar.TypeReg, "", "b"), ended), map[string]string{"a": "a", long: "b"}},
		"a loop of links":  {zip(t, plain, block("r/x", tar.TypeSymlink, "y", ""), block("r/y", tar.TypeSymlink, "x", ""), ended), map[string]string{"a": "a", "x": "", "y": ""}},
		"a link nowhere":   {zip(t, plain, block("r/x", tar.TypeSymlink, "none/such", ""), ended), map[string]string{"a": "a", "x": ""}},
		"behind its end":   {zip(t, plain, strings.Repeat("\x00", 1024), block("r/evil", tar.TypeReg, "", "x"), ended), map[string]string{"a": "a"}},
		"garbage behind":   {zip(t, plain, strings.Repeat("\x00", 1024), "garbage"), map[string]string{"a": "a"}},
		"in two gzips":     {append(zip(t, plain), zip(t, block("r/b", tar.TypeReg, "", "b"), ended)...), map[string]string{"a": "a", "b": "b"}},
		"a folder twice":   {zip(t, plain, block("r/d/", tar.TypeDir, "", ""), block("r/d/", tar.TypeDir, "", ""), ended), map[string]string{"a": "a", "d/": ""}},
		"a local comment":  {zip(t, local(record("comment", strings.Repeat("b", 40))), plain, ended), map[string]string{"a": "a"}},
		"a global path":    {zip(t, block("g", tar.TypeXGlobalHeader, "", record("path", "../../evil")), plain, ended), map[string]string{"a": "a"}},
		"a part of 255":    {zip(t, local(record("path", "r/"+strings.Repeat("x", 255))), block("r/b", tar.TypeReg, "", "b"), ended), map[string]string{strings.Repeat("x", 255): "b"}},
		"control in names": {zip(t, block("r/\x1b[31m\n", tar.TypeReg, "", "a"), ended), map[string]string{"\x1b[31m\n": "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := repack(&out, bytes.NewReader(test.body), commitA, ArchiveLimits{}.withDefaults()); err != nil {
				t.Fatal(err)
			}
			got := unpacked(t, out.Bytes())
			for path, body := range test.want {
				if is, there := got[snapshotRoot+"/"+path]; !there || is != body {
					t.Errorf("%q: got %q (there: %v), want %q", path, is, there, body)
				}
			}
			if len(test.want) != len(got) && name != "a folder twice" {
				t.Errorf("got %d members %q, want %d", len(got), got, len(test.want))
			}
		})
	}
}

// A tar that was cut off before it was packed looks whole to gzip.
func TestRepackCutOffBeforeItWasPacked(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range 12 {
		text.WriteString(block(fmt.Sprintf("r/%d", i), tar.TypeReg, "", strings.Repeat("x", 200*i)))
	}
	whole := text.String() + strings.Repeat("\x00", 1024)
	for cut := 0; cut < len(whole); cut += 512 {
		err := repack(io.Discard, bytes.NewReader(zip(t, whole[:cut])), commitA, ArchiveLimits{}.withDefaults())
		if _, again := core.Retryable(err); !again || core.CodeOf(err) != core.CodeDownloadTarball {
			t.Fatalf("cut at %d of %d: got %v", cut, len(whole), err)
		}
	}
	if err := repack(io.Discard, bytes.NewReader(zip(t, whole)), commitA, ArchiveLimits{}.withDefaults()); err != nil {
		t.Errorf("whole: %v", err)
	}
}

// A tarball is never passed on as whole where it ends, at whichever KiB.
func TestRepackCutOffAtEveryKiB(t *testing.T) {
	t.Parallel()
	var noise strings.Builder // that gzip can do little about
	for i := uint32(1); noise.Len() < 96<<10; i = i*1664525 + 1013904223 {
		noise.WriteByte(byte(i >> 24))
	}
	whole := pack(t, ofCommit(commitA), regular("r/package.json", "{}"), regular("r/noise", noise.String()))
	if len(whole) < 90<<10 {
		t.Fatalf("the tarball has %d bytes only", len(whole))
	}
	for cut := 0; cut < len(whole); cut += 1 << 10 {
		var out bytes.Buffer
		err := repack(&out, bytes.NewReader(whole[:cut]), commitA, ArchiveLimits{}.withDefaults())
		if _, again := core.Retryable(err); !again || core.CodeOf(err) != core.CodeDownloadTarball {
			t.Fatalf("cut at %d of %d: got %v", cut, len(whole), err)
		}
		if bytes.HasSuffix(out.Bytes(), make([]byte, 1024)) {
			t.Fatalf("cut at %d: what came out has an end", cut)
		}
	}
}

// bomb is a tarball that unpacks to size bytes, and counts what of them was
// wanted.
func bomb(t *testing.T, size int64) (packed io.Reader, finish func() int64) {
	t.Helper()
	r, w := io.Pipe()
	made := make(chan int64, 1)
	go func() {
		zipped, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			t.Error(err)
		}
		out := tar.NewWriter(zipped)
		err = out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "r/zeros", Size: size, Mode: 0o644})
		zeros, n := make([]byte, 1<<20), int64(0)
		for err == nil && n < size {
			if _, err = out.Write(zeros); err == nil {
				n += int64(len(zeros))
			}
		}
		w.CloseWithError(errors.Join(err, out.Close(), zipped.Close()))
		made <- n
	}()
	return r, func() int64 {
		_ = r.Close()
		return <-made
	}
}

func TestRepackStopsABombEarly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size   int64
		limits ArchiveLimits
		most   int64 // MiB that may be unpacked
	}{
		"10 GiB in one file":   {10 << 30, ArchiveLimits{}, 16 << 20},
		"below the size":       {500 << 20, ArchiveLimits{}, 32 << 20},
		"10 GiB, size unbound": {10 << 30, ArchiveLimits{Unpacked: 20 << 30}, 32 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packed, finish := bomb(t, test.size)
			out := &counted{}
			err := repack(out, packed, commitA, test.limits.withDefaults())
			if got, want := core.CodeOf(err), core.CodeTarTooLarge; got != want {
				t.Errorf("got %q (%v), want %q", got, err, want)
			}
			if out.n > 12<<20 {
				t.Errorf("%d bytes came out", out.n)
			}
			if made := finish(); made > test.most {
				t.Errorf("%d MiB were asked for", made>>20)
			}
		})
	}
}

type counted struct{ n int64 }

func (c *counted) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// Folders that are only implied are counted: 64 of them come for each file.
func TestRepackCountsImpliedFolders(t *testing.T) {
	t.Parallel()
	var parts []string
	for i := range 10 {
		parts = append(parts, block(fmt.Sprintf("r/%d/b/c/d/e/f", i), tar.TypeReg, "", ""))
	}
	body := zip(t, append(parts, ended)...)
	for limit, want := range map[int]core.Code{59: core.CodeTarTooLarge, 60: ""} {
		err := repack(io.Discard, bytes.NewReader(body), commitA, ArchiveLimits{Entries: limit}.withDefaults())
		if got := core.CodeOf(err); err == nil && want != "" || err != nil && got != want {
			t.Errorf("limit %d: got %v, want %q", limit, err, want)
		}
	}
	// Headers that stand for no file count too, by their bytes.
	endless := strings.Repeat(block("g", tar.TypeXGlobalHeader, "", record("a", "b")), 40)
	err := repack(io.Discard, bytes.NewReader(zip(t, endless, parts[0], ended)), commitA, ArchiveLimits{Unpacked: 1 << 10, Entries: 10}.withDefaults())
	if got := core.CodeOf(err); got != core.CodeTarTooLarge {
		t.Errorf("global headers without end: got %v", err)
	}
}

// Whoever owns a file and whatever bits it has, it comes out plain.
func TestRepackLeavesNoBits(t *testing.T) {
	t.Parallel()
	for mode, want := range map[int64]int64{0o4755: 0o755, 0o2755: 0o755, 0o6777: 0o755, 0o1644: 0o644, 0o000: 0o644, 0o4044: 0o644, 0o777_777: 0o755} {
		file := regular("r/a", "x")
		file.Mode, file.Uid, file.Gid, file.Uname = mode, 4242, 4242, "root"
		file.Format = tar.FormatGNU
		var out bytes.Buffer
		if err := repack(&out, bytes.NewReader(pack(t, file)), commitA, ArchiveLimits{}.withDefaults()); err != nil {
			t.Fatal(err)
		}
		h, err := tar.NewReader(&out).Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Mode != want || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || len(h.PAXRecords) != 0 {
			t.Errorf("%o: got %o of %d:%d %q, %v; want %o", mode, h.Mode, h.Uid, h.Gid, h.Uname, h.PAXRecords, want)
		}
	}
}
