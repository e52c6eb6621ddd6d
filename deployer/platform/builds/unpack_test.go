package builds_test

import (
	"archive/tar"
	"bytes"
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
	if result.Dir != b.dir || result.Web != "node server.js" || result.NodeVersion == "" {
		t.Errorf("result %+v", result)
	}
	for name, want := range map[string]string{"server.js": "1", "bin/deep/up": "1", "here/up": "1", "twin": "1", "naïve ☃.txt": "ok"} {
		if got := b.read(name); got != want {
			t.Errorf("%s contains %q, want %q", name, got, want)
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
	mention(t, b.out.String(), "no dependencies to install", "Using Node.js "+result.NodeVersion)
}

// The rules are tested by package safetar. This tests that they are applied, and
// that refused archives leave no files.
func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	ok := entry{name: "package/package.json", text: pkg}
	link := func(name, target string) entry { return entry{name: name, kind: tar.TypeSymlink, link: target} }
	for name, test := range map[string]struct {
		entries []entry
		mention string
	}{
		"climbing":            {[]entry{ok, {name: "package/../../evil"}}, "package/../../evil"},
		"absolute":            {[]entry{ok, {name: "/package/evil"}}, "absolute"},
		"other top":           {[]entry{ok, {name: "other/a"}}, "other/a"},
		"twice":               {[]entry{ok, {name: "package/a"}, {name: "package/a"}}, "duplicate"},
		"through a link":      {[]entry{ok, link("package/l", "."), {name: "package/l/evil"}}, "package/l"},
		"folder over a link":  {[]entry{ok, link("package/l", "."), {name: "package/l/"}}, "package/l"},
		"hard link out":       {[]entry{ok, {name: "package/h", kind: tar.TypeLink, link: "../../etc/passwd"}}, "package/h"},
		"device":              {[]entry{ok, {name: "package/d", kind: tar.TypeChar}}, "package/d"},
		"too many":            {[]entry{ok, {name: "package/1"}, {name: "package/2"}, {name: "package/3"}, {name: "package/4"}, {name: "package/5"}, {name: "package/6"}}, "more than 6"},
		"too large":           {[]entry{ok, {name: "package/1", text: strings.Repeat("1", 5<<20)}}, "more than 4 MiB"},
		"nothing":             {nil, "no files"},
		"no package.json":     {[]entry{{name: "package/server.js"}}, "no package.json"},
		"package.json linked": {[]entry{{name: "package/package.json", kind: tar.TypeSymlink, link: "missing"}}, "package.json"},
		"package.json a loop": {[]entry{{name: "package/package.json", kind: tar.TypeSymlink, link: "package.json"}}, "package.json"},
		"package.json folder": {[]entry{{name: "package/package.json/x"}}, "package.json"},
		"package.json no map": {[]entry{{name: "package/package.json", text: "[]"}}, "package.json"},
		"package.json null":   {[]entry{{name: "package/package.json", text: "null"}}, "package.json"},
		"package.json broken": {[]entry{{name: "package/package.json", text: `{"name":`}}, "package.json"},
		"package.json, deep":  {[]entry{{name: "package/package.json", text: strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001)}}, "package.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, builds.Options{MaxEntries: 6, MaxUnpacked: 4 << 20})
			reason := b.failure(pack(t, test.entries...))
			mention(t, reason, test.mention)
			if strings.ContainsAny(reason, "\n\x00") || len(reason) > 500 {
				t.Errorf("the reason is too long or has control characters: %q", reason)
			}
			left, err := os.ReadDir(filepath.Dir(b.dir))
			if err != nil || len(left) > 0 && left[0].Name() != "cache" || len(left) > 1 {
				t.Errorf("files left beside the folder: %v, %v", left, err)
			}
		})
	}
}

// Links that lead out of the folder are omitted and reported.
func TestUnpackLeavesOut(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{})
	b.mustBuild(pack(t,
		entry{name: "package/package.json", text: pkg},
		entry{name: "package/docs/x", kind: tar.TypeSymlink, link: "/usr/share/doc/x"},
		entry{name: "package/README.md", text: "one"}, entry{name: "package/readme.md", text: "two"},
	))
	if b.read("README.md") != "one" || b.read("readme.md") != "two" {
		t.Error("files that differ only in case are missing")
	}
	if _, err := os.Lstat(filepath.Join(b.dir, "docs", "x")); !os.IsNotExist(err) {
		t.Errorf("the link was created: %v", err)
	}
	mention(t, b.out.String(), `"docs/x" was left out`)
}

// Nothing of a refused archive is unpacked, even if the reason is its last entry:
// the entries are counted before the first of them is written.
func TestRefusedBeforeItIsUnpacked(t *testing.T) {
	t.Parallel()
	entries := []entry{{name: "package/package.json", text: pkg}}
	for i := range 2000 {
		entries = append(entries, entry{name: fmt.Sprintf("package/%d", i)})
	}
	b := setup(t, builds.Options{MaxEntries: 2000})
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	watched := false
	source := &watching{Reader: bytes.NewReader(pack(t, entries...)), at: func() {
		found, err := os.ReadDir(b.dir)
		if watched = true; err != nil || len(found) > 0 {
			t.Errorf("the folder has %d entries while the archive is read (%v)", len(found), err)
		}
	}}
	_, err := b.Build(t.Context(), builds.Snapshot{Tgz: source, Dir: b.dir, Credential: b.as}, &b.out)
	reason, _ := blamed(err)
	mention(t, reason, "more than 2000")
	if !watched {
		t.Error("the archive was not read")
	}
}

type watching struct {
	*bytes.Reader
	at func()
}

func (w *watching) Read(p []byte) (int, error) {
	w.at()
	return w.Reader.Read(p)
}

func TestUnpackRefusesTruncatedArchive(t *testing.T) {
	t.Parallel()
	whole := app(t, pkg, "server.js", strings.Repeat("some text that does not pack well 9f86d081884c7d65 ", 40))
	b := setup(t, builds.Options{})
	for n := range len(whole) {
		mention(t, b.failure(whole[:n]), "truncated")
	}
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 0xff
	mention(t, b.failure(damaged), "damaged")
	mention(t, b.failure([]byte("this is not an archive at all, and long enough to be read")), "not a gzipped tar")
	b.mustBuild(whole)
}

// A read error is not reported as a failure of the app.
func TestSnapshotReadError(t *testing.T) {
	t.Parallel()
	whole := app(t, pkg)
	b := setup(t, builds.Options{})
	gone := errors.New("input/output error")
	_, err := b.Build(t.Context(), builds.Snapshot{Tgz: broken{bytes.NewReader(whole[:len(whole)/2]), gone}, Dir: b.dir}, io.Discard)
	if _, ok := blamed(err); ok || !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
}

type broken struct {
	*bytes.Reader
	err error
}

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func TestFolderMustBeEmpty(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{})
	if err := os.MkdirAll(filepath.Join(b.dir, "x"), 0o750); err != nil {
		t.Fatal(err)
	}
	_, err := b.build(app(t, pkg))
	if _, ok := blamed(err); ok || err == nil {
		t.Errorf("error %v", err)
	}
}
