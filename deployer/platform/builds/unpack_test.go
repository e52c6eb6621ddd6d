package builds_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

const pkg = `{"name":"a","version":"1.0.0","scripts":{"start":"node server.js"}}`

func TestUnpack(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{})
	result := b.mustBuild(pack(t,
		entry{name: "pax_global_header", kind: tar.TypeXGlobalHeader, pax: map[string]string{"comment": strings.Repeat("a", 40)}},
		entry{name: "package/", mode: 0o700},
		entry{name: "./package/package.json", text: pkg},
		entry{name: "package/server.js", text: "1", mode: 0o4640},
		entry{name: "package/bin/deep/run", text: "#!", mode: 0o711},
		entry{name: "package/bin/", mode: 0o777},
		entry{name: "package/bin/deep/up", kind: tar.TypeSymlink, link: "../../server.js"},
		entry{name: "package/here", kind: tar.TypeSymlink, link: "./bin/deep"},
		entry{name: "package/nowhere", kind: tar.TypeSymlink, link: "missing"},
		entry{name: "package/twin", kind: tar.TypeLink, link: "package/server.js"},
		entry{name: "package/naïve ☃.txt", text: "ok"},
	))
	if result.Package.Name != "a" || result.Package.Start != "node server.js" || result.Version == "" {
		t.Errorf("result %+v", result)
	}
	for name, want := range map[string]string{"server.js": "1", "bin/deep/up": "1", "here/up": "1", "twin": "1", "naïve ☃.txt": "ok"} {
		if got := b.read(name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]os.FileMode{"server.js": 0o644, "bin/deep/run": 0o755, "bin": 0o755, "bin/deep": 0o755} {
		info, err := os.Lstat(filepath.Join(b.dir, name))
		if err != nil || info.Mode().Perm() != want || info.Mode()&os.ModeSetuid != 0 {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	err := filepath.WalkDir(b.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		owner := uint32(os.Getuid()) //nolint:gosec // a uid
		if b.as != nil {
			owner = b.as.Uid
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != owner {
			t.Errorf("%s belongs to %d, want %d", path, stat.Uid, owner)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	mention(t, b.out.String(), "no dependencies to install", "Running on Node.js "+result.Version)
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	ok := entry{name: "package/package.json", text: pkg}
	link := func(name, target string) entry { return entry{name: name, kind: tar.TypeSymlink, link: target} }
	for name, entries := range map[string][]entry{
		"climbing":            {ok, {name: "package/../../evil"}},
		"climbing at once":    {ok, {name: "../evil"}},
		"climbing and back":   {ok, {name: "package/a/../../package/b"}},
		"absolute":            {ok, {name: "/package/evil"}},
		"backslash":           {ok, {name: `package/..\evil`}},
		"dot":                 {ok, {name: "package/./a"}},
		"empty part":          {ok, {name: "package//a"}},
		"not UTF-8":           {ok, {name: "package/\xff"}},
		"other top":           {ok, {name: "other/a"}},
		"no top":              {ok, {name: "a"}},
		"top as a file":       {{name: "package", text: "x"}},
		"twice":               {ok, {name: "package/a"}, {name: "package/a"}},
		"twice but for case":  {ok, {name: "package/a"}, {name: "package/A"}},
		"folder but for case": {ok, {name: "package/d/a"}, {name: "package/D/b"}},
		"file as a folder":    {ok, {name: "package/a"}, {name: "package/a/b"}},
		"long":                {ok, {name: "package/" + strings.Repeat("abcdefghi/", 110) + "a"}},
		"deep":                {ok, {name: "package/" + strings.Repeat("d/", 64) + "a"}},
		"link up":             {ok, link("package/l", "../x")},
		"link far up":         {ok, link("package/a/b/l", "../../../x")},
		"link absolute":       {ok, link("package/l", "/etc/passwd")},
		"link empty":          {ok, link("package/l", "")},
		"link by a link":      {ok, {name: "package/t/"}, link("package/p/q/r", "../../t"), link("package/l", "p/q/r/../../../x")},
		"through a link":      {ok, link("package/l", "."), {name: "package/l/evil"}},
		"folder over a link":  {ok, link("package/l", "."), {name: "package/l/"}},
		"link below a link":   {ok, {name: "package/x/"}, link("package/a/b/c/d", "../../../x"), link("package/a/b/c/d/l", "../../../y")},
		"hard link out":       {ok, {name: "package/h", kind: tar.TypeLink, link: "../../etc/passwd"}},
		"hard link absolute":  {ok, {name: "package/h", kind: tar.TypeLink, link: "/etc/passwd"}},
		"hard link to a link": {ok, link("package/l", "package.json"), {name: "package/h", kind: tar.TypeLink, link: "package/l"}},
		"hard link early":     {ok, {name: "package/h", kind: tar.TypeLink, link: "package/later"}, {name: "package/later"}},
		"device":              {ok, {name: "package/d", kind: tar.TypeChar}},
		"block device":        {ok, {name: "package/d", kind: tar.TypeBlock}},
		"fifo":                {ok, {name: "package/d", kind: tar.TypeFifo}},
		"unknown type":        {ok, {name: "package/d", kind: 'Q'}},
		"too many":            {ok, {name: "package/1"}, {name: "package/2"}, {name: "package/3"}, {name: "package/4"}, {name: "package/5"}, {name: "package/6"}},
		"too large":           {ok, {name: "package/1", text: strings.Repeat("1", 5<<20)}},
		"nothing":             {},
		"only the top":        {{name: "package/"}},
		"no package.json":     {{name: "package/server.js"}},
		"package.json linked": {{name: "package/package.json", kind: tar.TypeSymlink, link: "missing"}},
		"package.json no map": {{name: "package/package.json", text: "[]"}},
		"package.json null":   {{name: "package/package.json", text: "null"}},
		"package.json broken": {{name: "package/package.json", text: `{"name":`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, builds.Options{MaxEntries: 6, MaxUnpacked: 4 << 20})
			reason := b.failure(pack(t, entries...))
			if strings.Contains(reason, "\n") {
				t.Errorf("reason of several lines: %q", reason)
			}
			left, err := os.ReadDir(filepath.Dir(b.dir))
			if err != nil || len(left) > 0 && left[0].Name() != "cache" {
				t.Errorf("left beside the folder: %v, %v", left, err)
			}
		})
	}
}

func TestUnpackRefusesWhatIsCutOff(t *testing.T) {
	t.Parallel()
	whole := app(t, pkg, "server.js", strings.Repeat("some text that does not pack well 9f86d081884c7d65 ", 40))
	b := setup(t, builds.Options{})
	for n := range len(whole) {
		reason := b.failure(whole[:n])
		mention(t, reason, "snapshot")
	}
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 0xff
	b.failure(damaged)
	b.failure([]byte("this is no archive at all, and long enough to be looked at"))
	b.mustBuild(whole)
}

// A reader that breaks off is not the app's fault.
func TestUploadBreaksOff(t *testing.T) {
	t.Parallel()
	whole := app(t, pkg)
	b := setup(t, builds.Options{})
	gone := errors.New("connection reset")
	_, err := b.Build(t.Context(), builds.Snapshot{
		Tgz: io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), failing{gone}), Dir: b.dir,
	}, io.Discard)
	if _, blamed := builds.Blame(err); blamed || !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A bomb is refused long before it is unpacked: the writer at its other end
// finds out.
func TestUnpackRefusesABomb(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		zip := gzip.NewWriter(w)
		archive := tar.NewWriter(zip)
		err := archive.WriteHeader(&tar.Header{Name: "package/zeros", Typeflag: tar.TypeReg, Size: 10 << 30, Mode: 0o644})
		zeros := make([]byte, 1<<20)
		for n := 0; err == nil && n < 10<<10; n++ {
			_, err = archive.Write(zeros)
		}
		written <- fmt.Errorf("after all: %w", err)
	}()
	b := setup(t, builds.Options{})
	_, err := b.Build(t.Context(), builds.Snapshot{Tgz: r, Dir: b.dir, Credential: b.as}, io.Discard)
	reason, _ := builds.Blame(err)
	mention(t, reason, "far more than an app does")
	gone := errors.New("reader gone")
	_ = r.CloseWithError(gone)
	if err := <-written; !errors.Is(err, gone) {
		t.Errorf("the bomb was read to its end: %v", err)
	}
}

func TestFolderMustBeFresh(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{})
	if err := os.MkdirAll(filepath.Join(b.dir, "x"), 0o750); err != nil {
		t.Fatal(err)
	}
	_, err := b.build(app(t, pkg))
	if _, blamed := builds.Blame(err); blamed || err == nil {
		t.Errorf("error %v", err)
	}
}
