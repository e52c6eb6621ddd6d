package builds

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// output is what a build prints, bounded. It remembers the last lines of the
// program that runs, as a failure's cause is in them.
type output struct {
	w io.Writer

	mu     sync.Mutex
	left   int64
	cut    bool // and that was said
	broken bool
	line   []byte   // that goes on
	last   []string // lines of the program
	no     bool     // it was denied to write something
}

const (
	maxLines = 400 // that are remembered
	maxLine  = 500 // bytes of a line that are
)

func newOutput(w io.Writer, limit int64) *output { return &output{w: w, left: limit} }

// say writes a line of our own.
func (o *output) say(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pass(fmt.Appendf(nil, format+"\n", args...))
}

// Write accepts what a program prints. It never fails, as the program would
// end then: whoever watches may have gone, the build goes on.
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
		o.pass([]byte("\n… more is printed than is shown here\n"))
	}
	return len(p), nil
}

func (o *output) pass(p []byte) {
	if !o.broken {
		_, err := o.w.Write(p)
		o.broken = err != nil
	}
}

// begin forgets the lines of the program before.
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
		// What package managers say first of a failure is kept.
		o.last = append(o.last[:maxLines/4], o.last[maxLines/4+1:]...)
	}
	o.no = o.no || strings.Contains(text, "EACCES") || strings.Contains(text, "EPERM") || strings.Contains(text, "ermission denied")
}

// lines returns the lines of the program that ran last.
func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.line) > 0 {
		o.end()
	}
	return o.last
}

// denied reports whether the program that ran last was denied to write
// something.
func (o *output) denied() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.no
}
