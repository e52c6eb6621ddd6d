package safetar_test

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
	"github.com/nodejitsu/webhooks/core/safetar"
)

// block is a member of a tar, byte by byte: tar.Writer refuses to write some
// of those below.
func block(name string, kind byte, link, body string) string {
	header := make([]byte, 512)
	copy(header, name)
	copy(header[100:], "0000644\x000000000\x000000000\x00")
	copy(header[124:], fmt.Sprintf("%011o\x00%011o\x00", len(body), 0))
	header[156] = kind
	copy(header[157:], link)
	copy(header[257:], "ustar\x0000")
	writeChecksum(header)
	return string(header) + body + strings.Repeat("\x00", (512-len(body)%512)%512)
}

func writeChecksum(header []byte) {
	copy(header[148:], "        ")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum&0o777777))
}

// record is a record of a PAX header.
func record(key, value string) string {
	size := len(key) + len(value) + 3
	for size < len(fmt.Sprint(size))+len(key)+len(value)+3 {
		size++
	}
	return fmt.Sprintf("%d %s=%s\n", size, key, value)
}

func pax(records string) string { return block("PaxHeaders/x", tar.TypeXHeader, "", records) }
func global(records string) string {
	return block("pax_global_header", tar.TypeXGlobalHeader, "", records)
}
func file(name string) string     { return block(name, tar.TypeReg, "", "x") }
func folder(name string) string   { return block(name+"/", tar.TypeDir, "", "") }
func link(name, to string) string { return block(name, tar.TypeSymlink, to, "") }
func hard(name, to string) string { return block(name, tar.TypeLink, to, "") }
func longName(name string) string {
	return block("././@LongLink", tar.TypeGNULongName, "", name+"\x00")
}

func longLink(name string) string {
	return block("././@LongLink", tar.TypeGNULongLink, "", name+"\x00")
}

var end = strings.Repeat("\x00", 1024) //nolint:gochecknoglobals // a constant

// zip compresses the parts of a tar.
func zip(t testing.TB, parts ...string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		if _, err := io.WriteString(zipped, part); err != nil {
			t.Fatal(err)
		}
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// read reads a whole archive. It returns a description of each member.
func read(packed io.Reader, o safetar.Options) (map[string]string, *safetar.Reader, error) {
	got := map[string]string{}
	r := safetar.NewReader(packed, o)
	for {
		m, err := r.Next()
		if err == io.EOF { //nolint:errorlint // documented as this very value
			return got, r, nil
		}
		if err != nil {
			return got, r, err
		}
		body, err := io.ReadAll(r)
		if err != nil {
			return got, r, err
		}
		got[m.Name] = map[safetar.Kind]string{
			safetar.File: string(body), safetar.Folder: "/", safetar.Symlink: "-> " + m.Target, safetar.HardLink: "= " + m.Target,
		}[m.Kind]
	}
}

const commit = "96410ed970f6224a4cd3c450150c5d65bbc77fcd"

// Each of these archives is damaged or, if it were unpacked, would write or read
// outside of its folder, hide a file behind another, or create something that is
// not a file. The error is permanent and names the member.
func TestRefused(t *testing.T) {
	t.Parallel()
	a := file("r/a")
	up := strings.Repeat("../", 60) + "x"
	for name, test := range map[string]struct {
		parts []string
		want  core.Code
		named string // in the reason
	}{
		"climbing":                 {[]string{a, file("r/../../etc/x")}, core.CodeTarUnsafe, "r/../../etc/x"},
		"climbing at once":         {[]string{a, file("../x")}, core.CodeTarUnsafe, "../x"},
		"climbing and back":        {[]string{a, file("r/b/../../r/c")}, core.CodeTarUnsafe, "r/b/../../r/c"},
		"absolute":                 {[]string{a, file("/etc/x")}, core.CodeTarUnsafe, "absolute"},
		"dot":                      {[]string{a, file("r/./b")}, core.CodeTarUnsafe, "r/./b"},
		"empty part":               {[]string{a, file("r//b")}, core.CodeTarUnsafe, "r//b"},
		"backslash":                {[]string{a, file(`r/..\..\b`)}, core.CodeTarUnsafe, "backslash"},
		"not UTF-8":                {[]string{a, file("r/caf\xe9")}, core.CodeTarUnsafe, "UTF-8"},
		"other top":                {[]string{a, file("s/b")}, core.CodeTarUnsafe, "s/b"},
		"a space for a top":        {[]string{a, file(" /b")}, core.CodeTarUnsafe, " /b"},
		"no top":                   {[]string{a, file("b")}, core.CodeTarUnsafe, `'b'`},
		"top is a file":            {[]string{file("r")}, core.CodeTarUnsafe, `'r'`},
		"top is a link":            {[]string{link("r", ".")}, core.CodeTarUnsafe, `'r'`},
		"too deep":                 {[]string{a, pax(record("path", "r/"+strings.Repeat("d/", 64)+"b")), file("r/b")}, core.CodeTarUnsafe, "64"},
		"too long":                 {[]string{a, pax(record("path", "r/"+strings.Repeat("abcdefghijklmnopqrst/", 50)+"b")), file("r/b")}, core.CodeTarUnsafe, "1024"},
		"a part too long":          {[]string{a, pax(record("path", "r/"+strings.Repeat("x", 256))), file("r/b")}, core.CodeTarUnsafe, "255"},
		"a folder's name too long": {[]string{a, pax(record("path", "r/"+strings.Repeat("x", 256)+"/b")), file("r/b")}, core.CodeTarUnsafe, "255"},
		"file twice":               {[]string{a, a}, core.CodeTarUnsafe, "r/a"},
		"link twice":               {[]string{a, link("r/l", "a"), link("r/l", "b")}, core.CodeTarUnsafe, "r/l"},
		"link over a file":         {[]string{a, link("r/a", "b")}, core.CodeTarUnsafe, "r/a"},
		"file over a link":         {[]string{a, link("r/l", "a"), file("r/l")}, core.CodeTarUnsafe, "r/l"},
		"folder over a file":       {[]string{a, folder("r/a")}, core.CodeTarUnsafe, "r/a"},
		"folder over a link":       {[]string{a, link("r/l", "."), folder("r/l")}, core.CodeTarUnsafe, "r/l"},
		"link over a folder":       {[]string{a, folder("r/d"), link("r/d", ".")}, core.CodeTarUnsafe, "r/d"},
		"below a file":             {[]string{a, file("r/a/b")}, core.CodeTarUnsafe, "r/a/b"},
		"through a link":           {[]string{a, link("r/l", "."), file("r/l/b")}, core.CodeTarUnsafe, "r/l/b"},
		"through a link left out":  {[]string{a, link("r/l", "/etc"), file("r/l/b")}, core.CodeTarUnsafe, "r/l/b"},
		"hard link out":            {[]string{a, hard("r/h", "../etc/passwd")}, core.CodeTarUnsafe, "r/h"},
		"hard link absolute":       {[]string{a, hard("r/h", "/etc/passwd")}, core.CodeTarUnsafe, "r/h"},
		"hard link to itself":      {[]string{hard("r/h", "r/h")}, core.CodeTarUnsafe, "r/h"},
		"hard link to a link":      {[]string{a, link("r/l", "a"), hard("r/h", "r/l")}, core.CodeTarUnsafe, "r/h"},
		"hard link to a folder":    {[]string{folder("r/d"), hard("r/h", "r/d")}, core.CodeTarUnsafe, "r/h"},
		"hard link to what comes":  {[]string{hard("r/h", "r/a"), a}, core.CodeTarUnsafe, "r/h"},
		"hard link over a file":    {[]string{a, file("r/b"), hard("r/b", "r/a")}, core.CodeTarUnsafe, "r/b"},
		"device":                   {[]string{a, block("r/d", tar.TypeChar, "", "")}, core.CodeTarUnsafe, "r/d"},
		"block device":             {[]string{a, block("r/d", tar.TypeBlock, "", "")}, core.CodeTarUnsafe, "r/d"},
		"pipe":                     {[]string{a, block("r/p", tar.TypeFifo, "", "")}, core.CodeTarUnsafe, "r/p"},
		"contiguous":               {[]string{a, block("r/c", tar.TypeCont, "", "")}, core.CodeTarUnsafe, "r/c"},
		"unknown type":             {[]string{a, block("r/q", 'Q', "", "")}, core.CodeTarUnsafe, "r/q"},

		"PAX path that climbs":      {[]string{a, pax(record("path", "r/../../x")), file("r/b")}, core.CodeTarUnsafe, "r/../../x"},
		"PAX path, absolute":        {[]string{a, pax(record("path", "/x")), file("r/b")}, core.CodeTarUnsafe, "/x"},
		"PAX hard link that climbs": {[]string{a, pax(record("linkpath", "r/../../x")), hard("r/h", "r/a")}, core.CodeTarUnsafe, "r/h"},
		"NUL in a PAX path":         {[]string{a, pax(record("path", "r/b\x00/../../x")), file("r/b")}, core.CodeTarCorrupt, ""},
		"PAX path without end":      {[]string{a, pax("99999 path=r/b\n"), file("r/b")}, core.CodeTarCorrupt, ""},
		"PAX record without size":   {[]string{a, pax("-1 path=r/b\n"), file("r/b")}, core.CodeTarCorrupt, ""},
		"PAX size below zero":       {[]string{a, pax(record("size", "-1")), file("r/b")}, core.CodeTarCorrupt, ""},
		"PAX size of a terabyte":    {[]string{a, pax(record("size", "1099511627776")), file("r/b")}, core.CodeTarTooLarge, "512 MiB"},
		"PAX header of 2 MiB":       {[]string{a, pax(record("comment", strings.Repeat("c", 2<<20))), file("r/b")}, core.CodeTarCorrupt, ""},
		"GNU name that climbs":      {[]string{a, longName("r/" + up), file("r/b")}, core.CodeTarUnsafe, "r/../"},
		"GNU name, very long":       {[]string{a, longName("r/" + strings.Repeat("ab/", 400) + "x"), file("r/b")}, core.CodeTarUnsafe, "r/ab/"},
		"sparse, PAX 0.0":           {[]string{a, pax(record("GNU.sparse.numblocks", "0") + record("GNU.sparse.size", "1099511627776")), file("r/s")}, core.CodeTarUnsafe, "r/s"},
		"sparse, PAX 0.1":           {[]string{a, pax(record("GNU.sparse.map", "0,1")), file("r/s")}, core.CodeTarCorrupt, ""},
		"sparse, PAX 1.0": {[]string{
			a, pax(record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", "r/s") + record("GNU.sparse.realsize", "1099511627776")),
			block("r/s", tar.TypeReg, "", "1\n0\n0\n"+strings.Repeat("\x00", 506)),
		}, core.CodeTarUnsafe, "r/s"},
		"sparse, GNU":          {[]string{a, strings.Replace(block("r/s", tar.TypeGNUSparse, "", ""), "ustar\x0000", "ustar  \x00", 1)}, core.CodeTarCorrupt, ""},
		"wrong checksum":       {[]string{a, strings.Replace(file("r/b"), "r/b", "r/c", 1)}, core.CodeTarCorrupt, ""},
		"garbage for a header": {[]string{a, strings.Repeat("g", 512)}, core.CodeTarCorrupt, ""},
		"no members":           {nil, core.CodeTarNoPackage, ""},
		"only the top":         {[]string{folder("r")}, core.CodeTarNoPackage, ""},
		"another commit":       {[]string{global(record("comment", strings.Repeat("b", 40))), a}, core.CodeDownloadTarball, ""},
		"another commit later": {[]string{global(record("comment", commit)), a, global(record("comment", strings.Repeat("b", 40)))}, core.CodeDownloadTarball, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packed := zip(t, append(test.parts, end)...)
			_, _, err := read(bytes.NewReader(packed), safetar.Options{Commit: commit})
			if got := core.CodeOf(err); err == nil || got != test.want {
				t.Fatalf("got %q (%v), want %q", got, err, test.want)
			}
			e := core.AsError(err)
			quoted := strings.Trim(fmt.Sprintf("%q", test.named), `"`)
			if !strings.Contains(e.Reason, test.named) && !strings.Contains(e.Reason, quoted) || strings.ContainsAny(e.Reason+e.Detail, "\x00\n") || len(e.Reason) > 500 {
				t.Errorf("the reason %q does not name %q in one line", e.Reason, test.named)
			}
			if _, again := core.Retryable(err); again {
				t.Errorf("%v is retryable", err)
			}
			if verified := safetar.Verify(t.Context(), bytes.NewReader(packed), safetar.Options{Commit: commit}); verified == nil || verified.Error() != err.Error() {
				t.Errorf("Verify returned %v, want %v", verified, err)
			}
		})
	}
}

// Unusual but harmless archives are accepted.
func TestAccepted(t *testing.T) {
	t.Parallel()
	a := file("r/a")
	long := strings.Repeat("long/", 40) + "name"
	for name, test := range map[string]struct {
		body []byte
		want map[string]string
	}{
		"twins of case":       {zip(t, a, file("r/A"), file("r/Dir/x"), file("r/dir/x"), end), map[string]string{"a": "x", "A": "x", "Dir/x": "x", "dir/x": "x"}},
		"twins beyond ASCII":  {zip(t, file("r/STRASSE"), file("r/straſſe"), end), map[string]string{"STRASSE": "x", "straſſe": "x"}},
		"a link within":       {zip(t, a, link("r/d/l", "../a"), link("r/m", "./d"), end), map[string]string{"a": "x", "d/l": "-> ../a", "m": "-> ./d"}},
		"a loop of links":     {zip(t, a, link("r/x", "y"), link("r/y", "x"), end), map[string]string{"a": "x", "x": "-> y", "y": "-> x"}},
		"a dangling link":     {zip(t, a, link("r/x", "none/such"), end), map[string]string{"a": "x", "x": "-> none/such"}},
		"a hard link":         {zip(t, a, hard("r/d/h", "r/a"), end), map[string]string{"a": "x", "d/h": "= a"}},
		"PAX long name":       {zip(t, a, pax(record("path", "r/"+long)), file("r/b"), end), map[string]string{"a": "x", long: "x"}},
		"GNU long name":       {zip(t, a, longName("r/"+long), file("r/b"), end), map[string]string{"a": "x", long: "x"}},
		"a part of 255":       {zip(t, pax(record("path", "r/"+strings.Repeat("x", 255))), file("r/b"), end), map[string]string{strings.Repeat("x", 255): "x"}},
		"64 deep":             {zip(t, pax(record("path", "r/"+strings.Repeat("d/", 63)+"b")), file("r/b"), end), map[string]string{strings.Repeat("d/", 63) + "b": "x"}},
		"control characters":  {zip(t, file("r/\x1b[31m\n"), end), map[string]string{"\x1b[31m\n": "x"}},
		"a folder twice":      {zip(t, a, folder("r/d"), folder("r/d"), end), map[string]string{"a": "x", "d": "/"}},
		"a folder afterwards": {zip(t, file("r/d/x"), folder("r/d"), end), map[string]string{"d/x": "x", "d": "/"}},
		"from the folder":     {zip(t, folder("."), folder("./r"), file("./r/a"), end), map[string]string{"a": "x"}},
		"behind its end":      {zip(t, a, end, file("r/evil"), end), map[string]string{"a": "x"}},
		"garbage behind":      {zip(t, a, end, "garbage"), map[string]string{"a": "x"}},
		"in two gzips":        {append(zip(t, a), zip(t, file("r/b"), end)...), map[string]string{"a": "x", "b": "x"}},
		"a global path":       {zip(t, global(record("path", "../../evil")), a, end), map[string]string{"a": "x"}},
		"its commit":          {zip(t, global(record("comment", commit)), a, end), map[string]string{"a": "x"}},
		"a local comment":     {zip(t, pax(record("comment", strings.Repeat("b", 40))), a, end), map[string]string{"a": "x"}},
		"a global comment":    {zip(t, global(record("comment", "made by hand")), a, end), map[string]string{"a": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, r, err := read(bytes.NewReader(test.body), safetar.Options{Commit: commit})
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) || len(r.LeftOut()) != 0 {
				t.Errorf("got %q, left out %v; want %q", got, r.LeftOut(), test.want)
			}
		})
	}
}

// Only the links that lead, or may lead, out of the tree are left out.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	for name, parts := range map[string][]string{
		"absolute":         {link("r/l", "/usr/share/doc/x")},
		"up":               {link("r/l", "../x")},
		"far up":           {link("r/b/c/l", "../../../x")},
		"to the top's top": {link("r/l", "..")},
		"empty":            {link("r/l", "")},
		"backslash":        {link("r/l", `..\x`)},
		"not UTF-8":        {link("r/l", "\xff")},
		"by a name":        {folder("r/t"), link("r/p/q/r", "../../t"), link("r/l", "p/q/r/../../../x")},
		"PAX":              {pax(record("linkpath", "../../etc")), link("r/l", "a")},
		"GNU":              {longLink(strings.Repeat("../", 60) + "x"), link("r/l", "a")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, r, err := read(bytes.NewReader(zip(t, append(append([]string{file("r/a")}, parts...), file("r/z"), end)...)), safetar.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got["a"] != "x" || got["z"] != "x" || got["l"] != "" || got["b/c/l"] != "" {
				t.Errorf("got %q", got)
			}
			if len(r.LeftOut()) != 1 || !strings.HasSuffix(r.LeftOut()[0].Name, "l") || r.LeftOut()[0].Reason == "" {
				t.Errorf("left out: %v", r.LeftOut())
			}
		})
	}
	var many []string
	for i := range 300 {
		many = append(many, link(fmt.Sprintf("r/%d", i), "/x"))
	}
	if _, r, err := read(bytes.NewReader(zip(t, append(many, end)...)), safetar.Options{}); err != nil || len(r.LeftOut()) != 100 {
		t.Errorf("of 300 links %d are reported (%v), want 100", len(r.LeftOut()), err)
	}
}

// The owner and the mode of a file are dropped, but for executable.
func TestBits(t *testing.T) {
	t.Parallel()
	for mode, want := range map[int64]bool{0o4755: true, 0o2711: true, 0o7777: true, 0o1644: false, 0o1: true, 0: false, 0o4044: false} {
		var text bytes.Buffer
		out := tar.NewWriter(&text)
		h := tar.Header{Name: "r/a", Typeflag: tar.TypeReg, Mode: mode, Uid: 4242, Uname: "root", Format: tar.FormatGNU}
		if err := errors.Join(out.WriteHeader(&h), out.Close()); err != nil {
			t.Fatal(err)
		}
		m, err := safetar.NewReader(bytes.NewReader(zip(t, text.String())), safetar.Options{}).Next()
		if err != nil || m.Executable != want || m.Name != "a" || m.Kind != safetar.File {
			t.Errorf("%o: got %+v (%v), want executable %t", mode, m, err, want)
		}
	}
}
