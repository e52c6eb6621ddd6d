package cli

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// sequence matches what tells a terminal to do something (ECMA-48): a control
// sequence, a string of commands with its end, or another escape.
var sequence = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?" +
	"|(?:\x1b[\\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\x07\x1b\u009c\n]*(?:\x07|\x1b\\\\|\u009c)?" +
	"|\x1b[ -/]*[0-~]?")

// printable returns a text without what would control the terminal that it is
// shown on; tabs and ends of lines stay.
func printable(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	text = sequence.ReplaceAllString(text, "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return r
		case r < ' ' || 0x7f <= r && r <= 0x9f, // C0, DEL and C1
			0x202a <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069: // what turns the direction of writing
			return -1
		}
		return r
	}, text)
}

// maxPending is how much of a line is kept until its end comes, in bytes.
const maxPending = 16 << 10

// cleaner passes on what is written to it, line by line and printable.
type cleaner struct {
	w       io.Writer
	pending []byte
}

// Write passes on the lines that have ended, and of a line that is too long what
// there is.
func (c *cleaner) Write(p []byte) (int, error) {
	end := bytes.LastIndexByte(p, '\n') + 1
	if end > 0 {
		end += len(c.pending)
	}
	c.pending = append(c.pending, p...)
	if len(c.pending)-end > maxPending {
		end = len(c.pending)
		for back := 1; back < utf8.UTFMax; back++ { // the last rune may go on
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

// flush passes on a line that has no end, and ends it.
func (c *cleaner) flush() error {
	if len(c.pending) == 0 {
		return nil
	}
	_, err := io.WriteString(c.w, printable(string(c.pending))+"\n")
	c.pending = nil
	return err
}
