package cli

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// sequence matches the commands for a terminal (ECMA-48): a control sequence, a
// command string with its end, or another escape.
var sequence = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?" +
	"|(?:\x1b[\\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\x07\x1b\u009c\n]*(?:\x07|\x1b\\\\|\u009c)?" +
	"|\x1b[ -/]*[0-~]?")

// printable returns a text without control characters, which would control the
// terminal that shows it; tabs and newlines stay.
func printable(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	text = sequence.ReplaceAllString(text, "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return r
		case r < ' ' || 0x7f <= r && r <= 0x9f, // C0, DEL and C1
			0x202a <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069: // direction of writing
			return -1
		}
		return r
	}, text)
}

// maxPending is the size of the part of a line, in bytes, that is kept until its
// end is written.
const maxPending = 16 << 10

// cleaner writes whole printable lines.
type cleaner struct {
	w       io.Writer
	pending []byte
}

// Write writes the lines of p that have ended, and the part of a line that is too
// long to keep.
func (c *cleaner) Write(p []byte) (int, error) {
	end := bytes.LastIndexByte(p, '\n') + 1
	if end > 0 {
		end += len(c.pending)
	}
	c.pending = append(c.pending, p...)
	if len(c.pending)-end > maxPending {
		end = len(c.pending)
		for back := 1; back < utf8.UTFMax; back++ { // the last rune may be incomplete
			if utf8.RuneStart(c.pending[len(c.pending)-back]) {
				end = len(c.pending) - back
				break
			}
		}
	}
	if end == 0 {
		return len(p), nil
	}
	if _, err := io.WriteString(c.w, printable(string(c.pending[:end]))); err != nil {
		return 0, err
	}
	c.pending = append(c.pending[:0], c.pending[end:]...)
	return len(p), nil
}

// flush writes a last line that has no end, with one.
func (c *cleaner) flush() error {
	if len(c.pending) == 0 {
		return nil
	}
	_, err := io.WriteString(c.w, printable(string(c.pending))+"\n")
	c.pending = nil
	return err
}
