package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/safetar"
)

const commitA = "96410ed970f6224a4cd3c450150c5d65bbc77fcd"

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
		m.Size = int64(len(m.body))
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
	return member{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, body}
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

// repacked is what comes out of a tarball.
type repacked struct {
	headers map[string]tar.Header
	bodies  map[string]string
	notes   []string
}

// stream passes an archive through a tarball, as a deployment does.
func stream(t testing.TB, packed []byte) (repacked, error) {
	t.Helper()
	body := newTarball(t.Context(), commitA, safetar.Limits{}, Gzip{}, func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed)), nil
	})
	out, err := io.ReadAll(body)
	notes, failure := body.Close()
	if failure != nil {
		if err == nil {
			t.Errorf("the source failed by %v, and the reader did not notice", failure)
		}
		return repacked{}, failure
	}
	if err != nil {
		t.Fatal(err)
	}
	r := repacked{map[string]tar.Header{}, map[string]string{}, notes}
	unzipped, err := gzip.NewReader(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	in := tar.NewReader(unzipped)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return r, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		r.headers[h.Name], r.bodies[h.Name] = *h, string(text)
	}
}

func TestTarballMovesTheTreeBelowPackage(t *testing.T) {
	t.Parallel()
	script := regular("o-r-96410ed/bin/run.sh", "#!/bin/sh\n")
	script.Mode, script.Uid, script.Uname = 0o6775, 4242, "root"
	got, err := stream(t, pack(t, ofCommit(commitA), folder("o-r-96410ed/"), regular("o-r-96410ed/package.json", "{}"),
		folder("o-r-96410ed/bin/"), script, link("o-r-96410ed/bin/again", "../package.json"),
		member{Header: tar.Header{Typeflag: tar.TypeLink, Name: "o-r-96410ed/twin", Linkname: "o-r-96410ed/package.json"}}))
	if err != nil {
		t.Fatal(err)
	}
	type file struct {
		kind byte
		mode int64
		body string
		link string
	}
	want := map[string]file{
		"package/package.json": {tar.TypeReg, 0o644, "{}", ""},
		"package/bin/":         {tar.TypeDir, 0o755, "", ""},
		"package/bin/run.sh":   {tar.TypeReg, 0o755, "#!/bin/sh\n", ""},
		"package/bin/again":    {tar.TypeSymlink, 0o777, "", "../package.json"},
		"package/twin":         {tar.TypeLink, 0o644, "", "package/package.json"},
	}
	found := map[string]file{}
	for name, h := range got.headers {
		found[name] = file{h.Typeflag, h.Mode, got.bodies[name], h.Linkname}
		if h.Uid != 0 || h.Uname != "" || len(h.PAXRecords) != 0 {
			t.Errorf("%s has the owner %d %q, records %v", name, h.Uid, h.Uname, h.PAXRecords)
		}
	}
	if !maps.Equal(found, want) || len(got.notes) != 0 {
		t.Errorf("got %v, notes %q; want %v", found, got.notes, want)
	}
}

// The rules are tested by package safetar; this shows that they are in force.
func TestTarballRefusesHostileMembers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body []byte
		want core.Code
	}{
		"climbing":       {pack(t, regular("r/../../etc/cron.d/x", "x")), core.CodeTarUnsafe},
		"through a link": {pack(t, link("r/a", "b"), regular("r/a/c", "x")), core.CodeTarUnsafe},
		"not gzip":       {[]byte("<html>not found</html>"), core.CodeTarCorrupt},
		"no files":       {pack(t, folder("r/")), core.CodeTarNoPackage},
		"other commit":   {pack(t, ofCommit(strings.Repeat("1", 40)), regular("r/a", "x")), core.CodeDownloadTarball},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := stream(t, test.body)
			if got := core.CodeOf(err); got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
			if _, again := core.Retryable(err); again {
				t.Errorf("%v would be tried again", err)
			}
		})
	}
}

func TestTarballNotes(t *testing.T) {
	t.Parallel()
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
	members := []member{
		regular("r/package.json", "{}"),
		regular("r/.gitmodules", "[submodule \"lib\"]\n\tpath = lib\n\turl = ../lib.git\n[submodule \"x\"]\n\tpath = \"vendor/x\"\n"),
		folder("r/lib/"), link("r/docs/x", "/usr/share/doc/x"), regular("r/README", strings.Repeat("long ", 500)),
	}
	for i := range 7 {
		members = append(members, regular(fmt.Sprintf("r/public/%d.png", i), pointer))
	}
	got, err := stream(t, pack(t, members...))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"submodules (lib, vendor/x)", "Git LFS", "public/4.png and 2 more", `"docs/x" was left out: it is a link`} {
		if !slices.ContainsFunc(got.notes, func(note string) bool { return strings.Contains(note, want) }) {
			t.Errorf("no note has %q: %q", want, got.notes)
		}
	}
	if len(got.notes) != 3 || got.bodies["package/public/0.png"] != pointer || got.bodies["package/.gitmodules"] == "" {
		t.Errorf("got %d notes, and the pointer %q", len(got.notes), got.bodies["package/public/0.png"])
	}
	if _, ok := got.headers["package/docs/x"]; ok {
		t.Error("the link was not left out")
	}
}

// A tarball that ends early, wherever it does, is never passed on as whole,
// and is worth another try.
func TestTarballCutOff(t *testing.T) {
	t.Parallel()
	var noise strings.Builder // that gzip can do little about
	for i := uint32(1); noise.Len() < 300<<10; i = i*1664525 + 1013904223 {
		noise.WriteByte(byte(i >> 24))
	}
	whole := pack(t, ofCommit(commitA), regular("r/package.json", "{}"), regular("r/noise", noise.String()))
	for cut := 0; cut < len(whole); cut += 1 + len(whole)/97 {
		_, err := stream(t, whole[:cut])
		if _, again := core.Retryable(err); !again || core.CodeOf(err) != core.CodeDownloadTarball {
			t.Fatalf("cut at %d of %d: got %v", cut, len(whole), err)
		}
	}
	if got, err := stream(t, whole); err != nil || got.bodies["package/noise"] != noise.String() {
		t.Errorf("whole: got %d bytes (%v)", len(got.bodies["package/noise"]), err)
	}
}

func TestTarballTellsWhoseFailureItWas(t *testing.T) {
	t.Parallel()
	whole := pack(t, regular("r/package.json", strings.Repeat("{}", 9999)))
	gone := errors.New("connection reset")
	open := func(body io.Reader, err error) *tarball {
		return newTarball(t.Context(), commitA, safetar.Limits{}, Gzip{}, func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(body), err
		})
	}
	t.Run("source breaks", func(t *testing.T) {
		t.Parallel()
		body := open(io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), failing{gone}), nil)
		if _, err := io.Copy(io.Discard, body); !errors.Is(err, gone) {
			t.Errorf("reading: got %v", err)
		}
		_, err := body.Close()
		if _, again := core.Retryable(err); !again || core.CodeOf(err) != core.CodeDownloadTarball || !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("platform stops reading", func(t *testing.T) {
		t.Parallel()
		body := open(bytes.NewReader(whole), nil)
		if _, err := body.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		if _, err := body.Close(); err != nil {
			t.Errorf("got %v, want nil: the failure is the platform's", err)
		}
	})
	t.Run("not opened", func(t *testing.T) {
		t.Parallel()
		body := open(nil, gone)
		if _, err := body.Read(make([]byte, 1)); !errors.Is(err, gone) {
			t.Errorf("reading: got %v", err)
		}
		if _, err := body.Close(); core.CodeOf(err) != core.CodeDownloadTarball {
			t.Errorf("got %v", err)
		}
	})
	t.Run("never read", func(t *testing.T) {
		t.Parallel()
		if _, err := open(nil, gone).Close(); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A source that hangs ends with the tarball.
func TestTarballEndsASourceThatHangs(t *testing.T) {
	t.Parallel()
	whole := pack(t, regular("r/package.json", strings.Repeat("{}", 9999)))
	hung := make(chan struct{})
	body := newTarball(t.Context(), commitA, safetar.Limits{}, Gzip{}, func(ctx context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), hanging{ctx, hung})), nil
	})
	go func() {
		<-hung
		_, _ = body.Close()
	}()
	if _, err := io.Copy(io.Discard, body); !errors.Is(err, errUnread) && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

type hanging struct {
	ctx  context.Context
	hung chan struct{}
}

func (h hanging) Read([]byte) (int, error) {
	close(h.hung)
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}
