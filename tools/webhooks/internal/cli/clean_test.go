package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain\tünï 🎉\n":                    "plain\tünï 🎉\n",
		"\x1b[1;31mred\x1b[0m":              "red",
		"\x1b]0;title\x07a\x1b]8;;x\x1b\\b": "ab",
		"\u009b2Ja\u009d0;t\u009cb":         "ab",
		"\x1bPq#0\x1b\\a\x1b(Bb\x1bcc":      "abc",
		"back\x08\x7f\r\x00\x07":            "back",
		"\u202eabc\u2066d":                  "abcd",
		"\xff\xfe":                          "\ufffd",
		"cut \x1b":                          "cut ",
		"cut \x1b[":                         "cut ",
		"cut \x1b]0;":                       "cut ",
		"\x1b[\x1b[2Ja":                     "a",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"", "\x1b[1m", "\x1b]\x1b]", "\u009b", "\x1b\x1b[[mm", "a\xc2", "\xc2\x9b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		clean := printable(text)
		for _, r := range clean {
			if r < ' ' && r != '\t' && r != '\n' || 0x7f <= r && r <= 0x9f {
				t.Errorf("%q: %q", text, clean)
			}
		}
	})
}

func TestCleanerPassesOnLines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"lines":       {"one\n\x1b[1mtwo\x1b[0m\n\nünï", "one\ntwo\n\nünï\n"},
		"long line":   {strings.Repeat("ü", maxPending) + "\nend\n", strings.Repeat("ü", maxPending) + "\nend\n"},
		"no UTF-8":    {strings.Repeat("\x80", 2*maxPending) + "\n", ""},
		"nothing":     {"", ""},
		"ended":       {"a\n", "a\n"},
		"without end": {"a", "a\n"},
	} {
		var out bytes.Buffer
		c := &cleaner{w: &out}
		if _, err := io.Copy(c, iotest.OneByteReader(strings.NewReader(test.text))); err != nil {
			t.Fatal(err)
		}
		if err := c.flush(); err != nil {
			t.Fatal(err)
		}
		if name == "no UTF-8" {
			if strings.Trim(out.String(), "\ufffd\n") != "" {
				t.Errorf("%s: got %.20q", name, out.String())
			}
			continue
		}
		if out.String() != test.want {
			t.Errorf("%s: got %.50q", name, out.String())
		}
	}
	// A line is there as soon as it has ended.
	var out bytes.Buffer
	c := &cleaner{w: &out}
	if _, err := io.WriteString(c, "one\ntw"); err != nil || out.String() != "one\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestUploadIsShown(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	plain := newUpload(&out, false, 2_000_000)
	plain.end(true) // before the start
	if out.Len() > 0 {
		t.Errorf("got %q before the start", out.String())
	}
	plain.start()
	plain.start()
	plain.add(2_000_000)
	plain.end(true)
	plain.end(true)
	if text := out.String(); !strings.HasPrefix(text, "Uploading 2.0 MB\nUploaded 2.0 MB in ") || strings.Count(text, "\n") != 2 {
		t.Errorf("got %q", text)
	}
	for ok, want := range map[bool]string{true: "\r\x1b[KUploaded 1.0 kB in ", false: "\r\x1b[K"} {
		var out strings.Builder
		live := newUpload(&out, true, 1000)
		live.start()
		live.drawn = time.Time{} // long ago
		live.add(250)
		live.end(ok)
		text, shown := strings.CutPrefix(out.String(), "\r\x1b[KUploading 0 B of 1.0 kB (0%)\r\x1b[KUploading 250 B of 1.0 kB (25%)")
		if !shown || !strings.HasPrefix(text, want) {
			t.Errorf("ok %t: got %q", ok, out.String())
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 99_949: "99.9 kB", 123_456: "123 kB", 999_600: "1.0 MB", 25 << 20: "26.2 MB", 3e12: "3.0 TB", 5e15: "5000 TB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}
