package builds_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

// block is one entry of a tar as its author wrote it, byte by byte: what
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

// pax is a PAX header with one record.
func pax(key, value string) string {
	size := len(key) + len(value) + 3
	for size < len(fmt.Sprint(size))+len(key)+len(value)+3 {
		size++
	}
	return block("PaxHeaders/x", tar.TypeXHeader, "", fmt.Sprintf("%d %s=%s\n", size, key, value))
}

func longName(kind byte, name string) string { return block("././@LongLink", kind, "", name+"\x00") }

const end = "\x00" // stands for the two blocks that end a tar

func zip(t testing.TB, parts ...string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	for _, part := range parts {
		if part == end {
			part = strings.Repeat("\x00", 1024)
		}
		if _, err := io.WriteString(zipped, part); err != nil {
			t.Fatal(err)
		}
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// What no library would write is refused as the archive's own fault, and
// nothing is left of it, within the folder or beside it.
func TestUnpackRefusesForgedArchives(t *testing.T) {
	t.Parallel()
	app := block("package/package.json", tar.TypeReg, "", pkg)
	file := func(name string) string { return block(name, tar.TypeReg, "", "x") }
	up := strings.Repeat("../", 60) + "evil"
	for name, parts := range map[string][]string{
		"NUL in a PAX path":          {app, pax("path", "package/b\x00/../../evil"), file("package/b"), end},
		"PAX path that climbs":       {app, pax("path", "package/../../evil"), file("package/b"), end},
		"PAX path, absolute":         {app, pax("path", "/evil"), file("package/b"), end},
		"PAX link that climbs":       {app, pax("linkpath", "../../evil"), block("package/l", tar.TypeSymlink, "a", ""), end},
		"PAX hard link that climbs":  {app, pax("linkpath", "package/../../evil"), block("package/l", tar.TypeLink, "package/package.json", ""), end},
		"GNU long name that climbs":  {app, longName(tar.TypeGNULongName, "package/"+up), file("package/b"), end},
		"GNU long name, very long":   {app, longName(tar.TypeGNULongName, "package/"+strings.Repeat("ab/", 400)+"x"), file("package/b"), end},
		"GNU long link out":          {app, longName(tar.TypeGNULongLink, up), block("package/l", tar.TypeSymlink, "a", ""), end},
		"a part no disk takes":       {app, pax("path", "package/"+strings.Repeat("x", 256)), file("package/b"), end},
		"a folder no disk takes":     {app, pax("path", "package/"+strings.Repeat("x", 256)+"/b"), file("package/b"), end},
		"PAX path without end":       {app, block("PaxHeaders/x", tar.TypeXHeader, "", "99999 path=package/b\n"), file("package/b"), end},
		"PAX size below zero":        {app, pax("size", "-1"), file("package/b"), end},
		"PAX size of a terabyte":     {app, pax("size", "1099511627776"), file("package/b"), end},
		"PAX header of 2 MiB":        {app, pax("comment", strings.Repeat("c", 2<<20)), file("package/b"), end},
		"sparse, PAX 0.0":            {app, pax("GNU.sparse.numblocks", "0") + pax("GNU.sparse.size", "1099511627776"), file("package/s"), end},
		"sparse, PAX 0.1":            {app, pax("GNU.sparse.map", "0,1"), file("package/s"), end},
		"sparse, GNU":                {app, block("package/s", tar.TypeGNUSparse, "", ""), end},
		"no checksum":                {app, strings.Replace(file("package/b"), "/b", "/c", 1), end},
		"garbage for a header":       {app, strings.Repeat("g", 512), end},
		"contiguous":                 {app, block("package/c", tar.TypeCont, "", ""), end},
		"hard link to itself":        {app, block("package/h", tar.TypeLink, "package/h", ""), end},
		"hard link to a folder":      {app, block("package/d/", tar.TypeDir, "", ""), block("package/h", tar.TypeLink, "package/d", ""), end},
		"hard link over a file":      {app, file("package/b"), block("package/b", tar.TypeLink, "package/package.json", ""), end},
		"link over a file":           {app, file("package/b"), block("package/b", tar.TypeSymlink, "package.json", ""), end},
		"file over a link":           {app, block("package/l", tar.TypeSymlink, "package.json", ""), file("package/l"), end},
		"folder over a file":         {app, block("package/package.json/", tar.TypeDir, "", ""), end},
		"case twins beyond ASCII":    {app, file("package/STRASSE"), file("package/straſſe"), end},
		"link, then its twin's file": {app, block("package/L", tar.TypeSymlink, ".", ""), file("package/l/x"), end},
		"package.json, a loop":       {block("package/package.json", tar.TypeSymlink, "package.json", ""), end},
		"package.json, a folder":     {block("package/package.json/", tar.TypeDir, "", ""), file("package/package.json/x"), end},
		"package.json, 10,000 deep":  {block("package/package.json", tar.TypeReg, "", strings.Repeat(`{"a":`, 10_001)+"1"+strings.Repeat("}", 10_001)), end},
		"package.json, 5 MiB":        {block("package/package.json", tar.TypeReg, "", `{"name":"`+strings.Repeat("a", 5<<20)+`"}`), end},
		"no end":                     {app},
		"half an end":                {app, strings.Repeat("\x00", 512)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, builds.Options{MaxUnpacked: 64 << 20})
			reason := b.failure(zip(t, parts...))
			if strings.ContainsAny(reason, "\n\x00") || len(reason) > 500 {
				t.Errorf("the reason is not fit to be shown: %q", reason)
			}
			left, err := os.ReadDir(filepath.Dir(b.dir))
			if err != nil || len(left) > 0 && left[0].Name() != "cache" || len(left) > 1 {
				t.Errorf("left beside the folder: %v, %v", left, err)
			}
		})
	}
}

// What is only odd is taken, and nothing of it comes to more than plain files,
// folders and links within the folder.
func TestUnpackTakesWhatIsOddOnly(t *testing.T) {
	t.Parallel()
	app := block("package/package.json", tar.TypeReg, "", pkg)
	long := strings.Repeat("long/", 40) + "name"
	for name, test := range map[string]struct {
		body []byte
		want []string
	}{
		"PAX long name":   {zip(t, app, pax("path", "package/"+long), block("package/b", tar.TypeReg, "", "b"), end), []string{long, "package.json"}},
		"GNU long name":   {zip(t, app, longName(tar.TypeGNULongName, "package/"+long), block("package/b", tar.TypeReg, "", "b"), end), []string{long, "package.json"}},
		"a part of 255":   {zip(t, app, pax("path", "package/"+strings.Repeat("x", 255)), block("package/b", tar.TypeReg, "", "b"), end), []string{"package.json", strings.Repeat("x", 255)}},
		"a loop of links": {zip(t, app, block("package/x", tar.TypeSymlink, "y", ""), block("package/y", tar.TypeSymlink, "x", ""), end), []string{"package.json", "x", "y"}},
		"behind its end":  {zip(t, app, end, block("package/evil", tar.TypeReg, "", "x"), end), []string{"package.json"}},
		"garbage behind":  {zip(t, app, end, "garbage"), []string{"package.json"}},
		"in two gzips":    {append(zip(t, app), zip(t, end)...), []string{"package.json"}},
		"a global path":   {zip(t, block("g", tar.TypeXGlobalHeader, "", "24 path=../../../evil/x\n"), app, end), []string{"package.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, builds.Options{})
			b.mustBuild(test.body)
			var got []string
			err := filepath.WalkDir(b.dir, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && !entry.IsDir() {
					name, relErr := filepath.Rel(b.dir, path)
					got, err = append(got, name), relErr
				}
				return err
			})
			slices.Sort(got)
			slices.Sort(test.want)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("there are %q (%v), want %q", got, err, test.want)
			}
		})
	}
	b := setup(t, builds.Options{})
	b.failure(append(zip(t, app, end), "garbage behind the gzip"...))
}

// Whatever bits an entry has, what is made has plain ones.
func TestUnpackLeavesNoBits(t *testing.T) {
	t.Parallel()
	for mode, want := range map[int64]os.FileMode{0o4755: 0o755, 0o2755: 0o755, 0o7777: 0o755, 0o1644: 0o644, 0o1: 0o755, 0o4044: 0o644} {
		b := setup(t, builds.Options{})
		b.mustBuild(pack(t, entry{name: "package/package.json", text: pkg}, entry{name: "package/d/", mode: mode}, entry{name: "package/d/f", mode: mode, text: "x"}))
		for name, want := range map[string]os.FileMode{"d/f": want, "d": os.ModeDir | 0o755} {
			info, err := os.Lstat(filepath.Join(b.dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != want {
				t.Errorf("%o: %s has %v, want %v", mode, name, info.Mode(), want)
			}
		}
	}
}

// A tar that was cut off before it was packed looks whole to gzip.
func TestUnpackRefusesATarThatIsCutOff(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(block("package/package.json", tar.TypeReg, "", pkg))
	for i := range 6 {
		text.WriteString(block(fmt.Sprintf("package/%d", i), tar.TypeReg, "", strings.Repeat("x", 400*i)))
	}
	whole := text.String() + strings.Repeat("\x00", 1024)
	b := setup(t, builds.Options{})
	for cut := 0; cut < len(whole); cut += 512 {
		mention(t, b.failure(zip(t, whole[:cut])), "cut off")
	}
	b.mustBuild(zip(t, whole))
}

// Bombs of other kinds than one file of zeros: many files, and one that is
// announced as larger than anything may be.
func TestUnpackRefusesOtherBombs(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 300 {
		many = append(many, block(fmt.Sprintf("package/%d/a/b/c", i), tar.TypeReg, "", ""))
	}
	zeros := strings.Repeat("\x00", 12<<20)
	for name, test := range map[string]struct {
		body    []byte
		mention string
	}{
		"files":           {zip(t, append(many, end)...), "more than 1000 entries"},
		"one file":        {zip(t, block("package/zeros", tar.TypeReg, "", zeros), end), "far more than an app does"},
		"what is skipped": {zip(t, pax("comment", "c"), block("g", tar.TypeXGlobalHeader, "", "12 a=bcdefg\n"), strings.Repeat(block("g", tar.TypeXGlobalHeader, "", "12 a=bcdefg\n"), 20_000), end), "far more than an app does"},
		"behind the end":  {zip(t, block("package/package.json", tar.TypeReg, "", pkg), end, zeros), "far more than an app does"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, builds.Options{MaxEntries: 1000})
			mention(t, b.failure(test.body), test.mention)
		})
	}
}
