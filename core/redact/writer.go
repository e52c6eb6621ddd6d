package redact

import (
	"bytes"
	"io"
)

// maxLine is the number of bytes of a line that a [Writer] buffers until the line
// ends.
const maxLine = 64 << 10

// A Writer forwards output, line by line, without the credentials of a
// [Redactor]. The last line is written by Flush if no newline ends it. A
// Writer must not be used concurrently.
type Writer struct {
	w    io.Writer
	r    *Redactor
	line []byte // buffered until it ends
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer, r *Redactor) *Writer { return &Writer{w: w, r: r} }

// Write writes the lines that end in p.
func (w *Writer) Write(p []byte) (int, error) {
	if w.r == nil {
		return w.w.Write(p)
	}
	w.line = append(w.line, p...)
	end := bytes.LastIndexByte(w.line, '\n') + 1
	if end == 0 && len(w.line) > maxLine {
		end = len(w.line)
	}
	if end == 0 {
		return len(p), nil
	}
	err := w.write(w.line[:end])
	w.line = append(w.line[:0], w.line[end:]...)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes the line that no newline has ended.
func (w *Writer) Flush() error {
	if len(w.line) == 0 {
		return nil
	}
	err := w.write(w.line)
	w.line = nil
	return err
}

func (w *Writer) write(text []byte) error {
	_, err := io.WriteString(w.w, w.r.Text(string(text)))
	return err
}
