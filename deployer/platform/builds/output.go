package builds

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// output limits the output of a build, and remembers the last lines of the current
// program, which contain the cause of a failure.
type output struct {
	w io.Writer

	mu     sync.Mutex
	left   int64
	cut    bool // the limit was reached, and a line about it written
	broken bool
	line   []byte   // unfinished
	last   []string // lines of the program
	no     bool     // a line reports a permission error
}

const (
	maxLines = 400 // remembered lines
	maxLine  = 500 // remembered bytes of a line
)

func newOutput(w io.Writer, limit int64) *output { return &output{w: w, left: limit} }

// say writes a line of the platform.
func (o *output) say(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pass(fmt.Appendf(nil, format+"\n", args...))
}

// Write writes the output of a program. It never fails, so that the build continues
// if the client has disconnected.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.remember(p)
	text := p[:min(int64(len(p)), o.left)]
	o.left -= int64(len(text))
	if len(text) > 0 {
		o.pass(text)
	}
	if len(text) < len(p) && !o.cut {
		o.cut = true
		o.pass([]byte("\n… the rest of the output is not shown\n"))
	}
	return len(p), nil
}

func (o *output) pass(p []byte) {
	if !o.broken {
		_, err := o.w.Write(p)
		o.broken = err != nil
	}
}

// begin forgets the lines of the previous program.
func (o *output) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.line, o.last, o.no = nil, nil, false
}

func (o *output) remember(p []byte) {
	for len(p) > 0 {
		part, rest, ended := bytes.Cut(p, []byte{'\n'})
		o.line = append(o.line, part[:min(len(part), maxLine-len(o.line))]...)
		if !ended {
			return
		}
		o.end()
		p = rest
	}
}

// end ends a line.
func (o *output) end() {
	text := strings.TrimRight(strings.ToValidUTF8(string(o.line), "\ufffd"), " \r\t")
	o.line = o.line[:0]
	o.last = append(o.last, text)
	if len(o.last) > maxLines {
		// Keep the first lines, which have the first message about a failure.
		o.last = append(o.last[:maxLines/4], o.last[maxLines/4+1:]...)
	}
	o.no = o.no || strings.Contains(text, "EACCES") || strings.Contains(text, "EPERM") || strings.Contains(text, "ermission denied")
}

// lines returns the lines of the current program.
func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.line) > 0 {
		o.end()
	}
	return o.last
}

// denied reports whether the current program has printed a permission error.
func (o *output) denied() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.no
}
