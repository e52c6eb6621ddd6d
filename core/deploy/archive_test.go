package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

const commitA = "96410ed970f6224a4cd3c450150c5d65bbc77fcd"

func file(name, body string) (tar.Header, string) {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(body))}, body
}

type member struct {
	tar.Header
	body string
}

// pack makes a gzipped tar as GitHub's archives are.
func pack(t testing.TB, members ...member) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	out := tar.NewWriter(zipped)
	for _, m := range members {
		if m.Typeflag == tar.TypeReg && m.Size == 0 {
			m.Size = int64(len(m.body))
		}
		if err := out.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, m.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(out.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func regular(name, body string) member {
	h, body := file(name, body)
	return member{h, body}
}

func folder(name string) member {
	return member{Header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o775}}
}

func link(name, target string) member {
	return member{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}}
}

func ofCommit(id string) member {
	return member{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": id}}}
}

func TestRepackMovesTheTreeBelowPackage(t *testing.T) {
	t.Parallel()
	script := regular("o-r-96410ed/bin/run.sh", "#!/bin/sh\n")
	script.Mode = 0o6775
	packed := pack(t, ofCommit(commitA), folder("o-r-96410ed/"), regular("o-r-96410ed/package.json", "{}"),
		folder("o-r-96410ed/bin/"), script, link("o-r-96410ed/bin/again", "../package.json"))

	var out bytes.Buffer
	if err := repack(&out, bytes.NewReader(packed), commitA, ArchiveLimits{}.withDefaults()); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	in := tar.NewReader(&out)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s keeps an owner", h.Name)
		}
		got[h.Name] = h.Mode
	}
	want := map[string]int64{"package/package.json": 0o644, "package/bin/": 0o755, "package/bin/run.sh": 0o755, "package/bin/again": 0o777}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for name, mode := range want {
		if got[name] != mode {
			t.Errorf("%s: got mode %o, want %o", name, got[name], mode)
		}
	}
}

// Each of these would, unpacked, write or read outside of its folder, hide one
// file behind another, or make something that is no file.
func TestRepackRefusesHostileMembers(t *testing.T) {
	t.Parallel()
	device := member{Header: tar.Header{Typeflag: tar.TypeChar, Name: "r/null", Devmajor: 1, Devminor: 3}}
	fifo := member{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "r/pipe"}}
	hard := member{Header: tar.Header{Typeflag: tar.TypeLink, Name: "r/hard", Linkname: "/etc/passwd"}}
	for name, members := range map[string][]member{
		"climbing":            {regular("r/../../etc/cron.d/x", "x")},
		"climbing within":     {regular("r/a/../../../x", "x")},
		"absolute":            {regular("/etc/x", "x")},
		"dot":                 {regular("r/./x", "x")},
		"backslash":           {regular(`r/..\..\x`, "x")},
		"other top":           {regular("r/a", "x"), regular("s/b", "x")},
		"top is a file":       {regular("r", "x")},
		"not UTF-8":           {regular("r/\xff\xfe", "x")},
		"too long":            {regular("r/"+strings.Repeat("a/", 30)+strings.Repeat("b", 1000), "x")},
		"too deep":            {regular("r/"+strings.Repeat("a/", 80)+"b", "x")},
		"twice":               {regular("r/a", "x"), regular("r/a", "y")},
		"link, then through":  {link("r/a", "b"), regular("r/a/c", "x")},
		"link out":            {link("r/a", "../../etc")},
		"link out, deep":      {link("r/b/c/a", "../../../etc")},
		"link absolute":       {link("r/a", "/etc")},
		"link to the top":     {link("r/a", "..")},
		"device":              {device},
		"fifo":                {fifo},
		"hard link":           {hard},
		"file becomes folder": {regular("r/a", "x"), folder("r/a/")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := repack(io.Discard, bytes.NewReader(pack(t, members...)), commitA, ArchiveLimits{}.withDefaults())
			if got, want := core.CodeOf(err), core.CodeTarUnsafe; got != want {
				t.Errorf("got %q (%v), want %q", got, err, want)
			}
		})
	}
}

func TestRepackBounds(t *testing.T) {
	t.Parallel()
	zeros := regular("r/zeros", strings.Repeat("\x00", 12<<20))
	many := []member{}
	for i := range 30 {
		many = append(many, regular("r/"+strings.Repeat("a", i+1), ""))
	}
	for name, test := range map[string]struct {
		limits  ArchiveLimits
		members []member
	}{
		"ratio":    {ArchiveLimits{}, []member{zeros}},
		"unpacked": {ArchiveLimits{Unpacked: 1 << 20, Ratio: 1 << 20}, []member{zeros}},
		"entries":  {ArchiveLimits{Entries: 20}, many},
		"packed":   {ArchiveLimits{Packed: 64}, many},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := repack(io.Discard, bytes.NewReader(pack(t, test.members...)), commitA, test.limits.withDefaults())
			if got, want := core.CodeOf(err), core.CodeTarTooLarge; got != want {
				t.Errorf("got %q (%v), want %q", got, err, want)
			}
		})
	}
}

// A tarball that ends early, wherever it does, is never taken for a whole one,
// and is worth another try.
func TestRepackCutOff(t *testing.T) {
	t.Parallel()
	whole := pack(t, ofCommit(commitA), regular("r/package.json", "{}"), regular("r/index.js", strings.Repeat("x();\n", 5000)))
	for cut := 0; cut < len(whole); cut += max(1, len(whole)/97) {
		err := repack(io.Discard, bytes.NewReader(whole[:cut]), commitA, ArchiveLimits{}.withDefaults())
		if _, again := core.Retryable(err); !again || core.CodeOf(err) != core.CodeDownloadTarball {
			t.Fatalf("cut at %d of %d: got %v", cut, len(whole), err)
		}
	}
}

func TestRepackRefusesWhatIsNoTarball(t *testing.T) {
	t.Parallel()
	whole := pack(t, regular("r/a", "x"))
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-6] ^= 0xff // within gzip's checksum
	for name, test := range map[string]struct {
		body []byte
		want core.Code
	}{
		"not gzip":         {[]byte("<html>not found</html>"), core.CodeTarCorrupt},
		"checksum":         {flipped, core.CodeTarCorrupt},
		"trailing garbage": {append(bytes.Clone(whole), "garbage, and more of it"...), core.CodeTarCorrupt},
		"no files":         {pack(t, folder("r/")), core.CodeTarNoPackage},
		"other commit":     {pack(t, ofCommit(strings.Repeat("1", 40)), regular("r/a", "x")), core.CodeDownloadTarball},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := repack(io.Discard, bytes.NewReader(test.body), commitA, ArchiveLimits{}.withDefaults())
			if got := core.CodeOf(err); got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
			if _, again := core.Retryable(err); again {
				t.Errorf("%v would be tried again", err)
			}
		})
	}
}

// FuzzRepack holds that whatever comes in, nothing that comes out could leave
// its folder.
func FuzzRepack(f *testing.F) {
	f.Add(pack(f, ofCommit(commitA), regular("r/package.json", "{}"), link("r/l", "package.json")))
	f.Add(pack(f, regular("r/../x", "x")))
	f.Add(pack(f, link("r/a", ".."), regular("r/a/b", "")))
	f.Fuzz(func(t *testing.T, body []byte) {
		var out bytes.Buffer
		limits := ArchiveLimits{Packed: 1 << 20, Unpacked: 1 << 20, Entries: 100}
		if repack(&out, bytes.NewReader(body), commitA, limits.withDefaults()) != nil {
			return
		}
		in := tar.NewReader(&out)
		for {
			h, err := in.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("what came out can't be read: %v", err)
			}
			if !strings.HasPrefix(h.Name, snapshotRoot+"/") || strings.Contains("/"+h.Name+"/", "/../") {
				t.Fatalf("%q came out", h.Name)
			}
		}
	})
}

func TestTarballTellsWhoseFailureItWas(t *testing.T) {
	t.Parallel()
	cut := pack(t, regular("r/package.json", strings.Repeat("{}", 9999)))
	open := func(body []byte, err error) func() *tarball {
		return func() *tarball {
			return newTarball(t.Context(), commitA, ArchiveLimits{}.withDefaults(), func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(body)), err
			})
		}
	}
	t.Run("whole", func(t *testing.T) {
		t.Parallel()
		body := open(cut, nil)()
		if _, err := io.Copy(io.Discard, body); err != nil {
			t.Error(err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("source breaks", func(t *testing.T) {
		t.Parallel()
		body := open(cut[:len(cut)/2], nil)()
		if _, err := io.Copy(io.Discard, body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("reading: got %v", err)
		}
		if got := core.CodeOf(body.Close()); got != core.CodeDownloadTarball {
			t.Errorf("got %q", got)
		}
	})
	t.Run("platform stops reading", func(t *testing.T) {
		t.Parallel()
		body := open(cut, nil)()
		if _, err := body.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		if err := body.Close(); err != nil {
			t.Errorf("got %v, want nil: the failure is the platform's", err)
		}
	})
	t.Run("never read", func(t *testing.T) {
		t.Parallel()
		if err := open(nil, errors.New("opened"))().Close(); err != nil {
			t.Errorf("got %v", err)
		}
	})
}
