package safetar_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/safetar"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	zeros := block("r/zeros", tar.TypeReg, "", strings.Repeat("\x00", 12<<20))
	var many, deep []string
	for i := range 30 {
		many = append(many, file(fmt.Sprintf("r/%d", i)))
	}
	for i := range 10 {
		deep = append(deep, file(fmt.Sprintf("r/%d/b/c/d/e/f", i)))
	}
	headers := strings.Repeat(global(record("a", "b")), 40)
	for name, test := range map[string]struct {
		limits safetar.Limits
		parts  []string
		want   core.Code
	}{
		"bytes":                    {safetar.Limits{Unpacked: 12<<20 - 1}, []string{zeros}, core.CodeTarTooLarge},
		"bytes, in bounds":         {safetar.Limits{Unpacked: 12 << 20}, []string{zeros}, ""}, // packed 1000:1
		"packed":                   {safetar.Limits{Packed: 64}, many, core.CodeTarTooLarge},
		"entries":                  {safetar.Limits{Entries: 29}, many, core.CodeTarTooLarge},
		"entries, in bounds":       {safetar.Limits{Entries: 30}, many, ""},
		"implied folders":          {safetar.Limits{Entries: 59}, deep, core.CodeTarTooLarge},
		"implied, in bounds":       {safetar.Limits{Entries: 60}, deep, ""},
		"headers without a member": {safetar.Limits{Unpacked: 1 << 10, Entries: 10}, []string{headers, file("r/a")}, core.CodeTarTooLarge},
		"behind the end":           {safetar.Limits{Unpacked: 1 << 20, Entries: 10}, []string{file("r/a"), end, zeros}, core.CodeTarTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := read(bytes.NewReader(zip(t, append(test.parts, end)...)), safetar.Options{Limits: test.limits})
			if err == nil && test.want == "" {
				return
			}
			if got := core.CodeOf(err); got != test.want {
				t.Errorf("got %q (%v), want %q", got, err, test.want)
			}
		})
	}
}

// A decompression bomb is refused before all of it is read.
func TestBomb(t *testing.T) {
	t.Parallel()
	for name, announced := range map[string]int64{"announced": 10 << 30, "as small members": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w := io.Pipe()
			made := make(chan int64, 1)
			go func() {
				zipped, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
				if err != nil {
					t.Error(err)
				}
				out, n, zeros := tar.NewWriter(zipped), int64(0), make([]byte, 1<<20)
				for i := 0; err == nil && n < 10<<30; i++ {
					if n%announced == 0 {
						err = out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("r/%d", i), Size: announced, Mode: 0o644})
					}
					if err == nil {
						_, err = out.Write(zeros)
						n += int64(len(zeros))
					}
				}
				w.CloseWithError(errors.Join(err, out.Close(), zipped.Close()))
				made <- n
			}()
			err := safetar.Verify(t.Context(), r, safetar.Options{Limits: safetar.Limits{Unpacked: 32 << 20, Entries: 100}})
			if got := core.CodeOf(err); got != core.CodeTarTooLarge {
				t.Errorf("got %q (%v)", got, err)
			}
			_ = r.Close()
			if n := <-made; n > 64<<20 {
				t.Errorf("%d MiB were read", n>>20)
			}
		})
	}
}

// An archive that is truncated at any place is never accepted.
func TestTruncated(t *testing.T) {
	t.Parallel()
	var text, noise strings.Builder
	for i := uint32(1); noise.Len() < 24<<10; i = i*1664525 + 1013904223 {
		noise.WriteByte(byte(i >> 24))
	}
	text.WriteString(global(record("comment", commit)))
	for i := range 12 {
		text.WriteString(block(fmt.Sprintf("r/%d", i), tar.TypeReg, "", noise.String()[:200*i]))
	}
	text.WriteString(block("r/noise", tar.TypeReg, "", noise.String()))
	whole := text.String() + end
	if err := safetar.Verify(t.Context(), bytes.NewReader(zip(t, whole)), safetar.Options{}); err != nil {
		t.Fatal(err)
	}
	packed := zip(t, whole)
	for cut := 0; cut < len(packed); cut += max(1, len(packed)/499) {
		if _, _, err := read(bytes.NewReader(packed[:cut]), safetar.Options{}); !errors.Is(err, safetar.ErrTruncated) {
			t.Fatalf("cut at %d of %d: got %v", cut, len(packed), err)
		}
	}
	// One that was cut before it was packed looks whole to gzip.
	for cut := 0; cut < len(whole); cut += 512 {
		for name, err := range map[string]error{
			"verified": safetar.Verify(t.Context(), bytes.NewReader(zip(t, whole[:cut])), safetar.Options{}),
			"read":     second(read(bytes.NewReader(zip(t, whole[:cut])), safetar.Options{})),
		} {
			if !errors.Is(err, safetar.ErrTruncated) {
				t.Fatalf("%s, cut at %d of %d: got %v", name, cut, len(whole), err)
			}
		}
	}
}

func second(_ map[string]string, _ *safetar.Reader, err error) error { return err }

func TestDamaged(t *testing.T) {
	t.Parallel()
	whole := zip(t, file("r/a"), end)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-6] ^= 0xff // in gzip's checksum
	for name, body := range map[string][]byte{
		"not gzip":         []byte("<html>not found</html>"),
		"checksum":         flipped,
		"trailing garbage": append(bytes.Clone(whole), "garbage, and more of it"...),
	} {
		_, _, err := read(bytes.NewReader(body), safetar.Options{})
		if got := core.CodeOf(err); got != core.CodeTarCorrupt {
			t.Errorf("%s: got %q (%v)", name, got, err)
		}
	}
}

// An error of the source is returned unchanged, wherever it occurs.
func TestSourceFails(t *testing.T) {
	t.Parallel()
	whole, gone := zip(t, block("r/a", tar.TypeReg, "", strings.Repeat("text ", 9999)), end), errors.New("connection reset")
	for cut := range len(whole) {
		_, r, err := read(io.MultiReader(bytes.NewReader(whole[:cut]), failing{gone}), safetar.Options{})
		if err != gone || r.Err() != gone { //nolint:errorlint // it is this very value
			t.Fatalf("cut at %d: got %v", cut, err)
		}
	}
	stopped, stop := context.WithCancelCause(t.Context())
	stop(gone)
	if err := safetar.Verify(stopped, bytes.NewReader(zip(t, file("r/a"), end)), safetar.Options{}); !errors.Is(err, gone) {
		t.Errorf("cancelled: got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestTop(t *testing.T) {
	t.Parallel()
	_, _, err := read(bytes.NewReader(zip(t, file("other/a"), end)), safetar.Options{Top: "package"})
	if got := core.CodeOf(err); got != core.CodeTarUnsafe {
		t.Errorf("another top folder: got %q (%v)", got, err)
	}
	if _, _, err := read(bytes.NewReader(zip(t, file("package/a"), end)), safetar.Options{Top: "package"}); err != nil {
		t.Error(err)
	}
}

// Any archive that is accepted is a tree of files, folders and links within it.
func FuzzReader(f *testing.F) {
	a := file("r/a")
	for _, parts := range [][]string{
		{a},
		{folder("r/d"), link("r/d/l", "../a"), a},
		{global(record("comment", commit)), a},
		{pax(record("path", "r/"+strings.Repeat("long/", 30)+"b")), a},
		{longName("r/" + strings.Repeat("long/", 30) + "b"), a},
		{pax(record("linkpath", "../b")), link("r/d/l", "")},
		{pax(record("GNU.sparse.map", "0,1")), a},
		{a, hard("r/h", "r/a")},
		{link("r/a", ".."), file("r/a/b")},
		{file("r/../x")},
	} {
		f.Add([]byte(strings.Join(parts, "") + end))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.Clone(text)
		for at := 0; at+512 <= len(text); at += 512 {
			if header := text[at : at+512]; string(header[257:262]) == "ustar" {
				writeChecksum(header) // else no change is looked at
			}
		}
		r := safetar.NewReader(bytes.NewReader(zip(t, string(text))), safetar.Options{Limits: safetar.Limits{Packed: 1 << 20, Unpacked: 1 << 20, Entries: 100}})
		kinds := map[string]safetar.Kind{}
		for {
			m, err := r.Next()
			if err != nil {
				return
			}
			if m.Name == "" || path.Clean("/"+m.Name) != "/"+m.Name || strings.ContainsAny(m.Name, "\\\x00") || len(m.Name) > 1024 {
				t.Fatalf("got member %q", m.Name)
			}
			if kind, ok := kinds[m.Name]; ok && (kind != safetar.Folder || m.Kind != safetar.Folder) {
				t.Fatalf("got member %q twice", m.Name)
			}
			for above := path.Dir(m.Name); above != "."; above = path.Dir(above) {
				if kind, ok := kinds[above]; ok && kind != safetar.Folder {
					t.Fatalf("got member %q below %q", m.Name, above)
				}
			}
			kinds[m.Name] = m.Kind
			switch m.Kind {
			case safetar.File, safetar.Folder:
			case safetar.Symlink:
				if to := path.Join("/top", path.Dir(m.Name), m.Target); path.IsAbs(m.Target) || to != "/top" && !strings.HasPrefix(to, "/top/") {
					t.Fatalf("link %q has target %q", m.Name, m.Target)
				}
			case safetar.HardLink:
				if kind, ok := kinds[m.Target]; !ok || kind != safetar.File {
					t.Fatalf("%q is a hard link to %q", m.Name, m.Target)
				}
			default:
				t.Fatalf("%q has kind %d", m.Name, m.Kind)
			}
		}
	})
}
