package parallelgzip_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/parallelgzip"
)

// packed returns the text as a Writer compresses it that is written to in pieces.
func packed(t testing.TB, text []byte, piece int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := parallelgzip.NewWriter(&out, 6)
	if err != nil {
		t.Fatal(err)
	}
	for len(text) > 0 {
		n := min(piece, len(text))
		if wrote, err := w.Write(text[:n]); wrote != n || err != nil {
			t.Fatalf("wrote %d of %d, %v", wrote, n, err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// unpacked decompresses with the standard library, as one stream.
func unpacked(t testing.TB, text []byte) []byte {
	t.Helper()
	in := bytes.NewReader(text)
	r, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	r.Multistream(false)
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if in.Len() != 0 {
		t.Errorf("%d bytes follow the stream", in.Len())
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 700_001)
	random := rand.NewChaCha8([32]byte{})
	if _, err := random.Read(noise); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing":    nil,
		"a byte":     []byte("x"),
		"text":       []byte(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 60_000)),
		"noise":      noise,
		"one block":  noise[:256<<10],
		"two blocks": noise[:512<<10],
		"repetition": bytes.Repeat(noise[:40_000], 30), // longer than the window
	} {
		for _, piece := range []int{1 << 30, 4096, 100_003} {
			if got := unpacked(t, packed(t, text, piece)); !bytes.Equal(got, text) {
				t.Errorf("%s in pieces of %d: got %d bytes, want %d", name, piece, len(got), len(text))
			}
		}
	}
}

// A block refers to the end of the one before, so the blocks cost little.
func TestSize(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // not a secret
	for text.Len() < 4<<20 {
		text.WriteString(strings.Repeat("const ", random.IntN(3)) + string(rune('a'+random.IntN(26))) + " = require('module');\n")
	}
	var whole bytes.Buffer
	w, err := flate.NewWriter(&whole, 6)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(packed(t, text.Bytes(), 4096)); got > whole.Len()*110/100 {
		t.Errorf("%d bytes, and %d by one compressor", got, whole.Len())
	}
}

var errFull = errors.New("full")

// limited fails after some bytes.
type limited int

func (l *limited) Write(p []byte) (int, error) {
	if *l -= limited(len(p)); *l < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// An error of the underlying writer is that of all later calls.
func TestErrors(t *testing.T) {
	t.Parallel()
	if _, err := parallelgzip.NewWriter(io.Discard, 42); err == nil {
		t.Error("level 42 is accepted")
	}
	limit := limited(100_000)
	w, err := parallelgzip.NewWriter(&limit, flate.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = w.Write(block)
	}
	if !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	if _, err := w.Write(block); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	if err := w.Close(); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	closed, err := parallelgzip.NewWriter(io.Discard, 6)
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Error(err)
	}
	if _, err := closed.Write([]byte("x")); err == nil || closed.Close() == nil {
		t.Error("it can be used after Close")
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("text"), uint16(3), uint16(70))
	f.Fuzz(func(t *testing.T, text []byte, repeats, piece uint16) {
		whole := bytes.Repeat(text, min(int(repeats), 1<<21/max(1, len(text))))
		if got := unpacked(t, packed(t, whole, int(piece)+1)); !bytes.Equal(got, whole) {
			t.Errorf("got %d bytes, want %d", len(got), len(whole))
		}
	})
}
