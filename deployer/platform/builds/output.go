package builds

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// output is what a build tells, bounded, and remembers of npm's errors.
type output struct {
	w io.Writer

	mu     sync.Mutex
	left   int64
	cut    bool // and that was told
	broken bool
	line   []byte   // that goes on
	errors []string // npm's first error lines, without their prefix
}

// maxErrors is how many of npm's error lines are told in a failure.
const maxErrors = 3

// say writes a line of our own.
func (o *output) say(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pass(fmt.Appendf(nil, format+"\n", args...))
}

// Write takes npm's output. It never fails, as npm would then end: whoever
// watches may have gone, the build goes on.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.look(p)
	text := p[:min(int64(len(p)), o.left)]
	o.left -= int64(len(text))
	if len(text) > 0 {
		o.pass(text)
	}
	if len(text) < len(p) && !o.cut {
		o.cut = true
		o.pass([]byte("\n… npm says more than is shown here\n"))
	}
	return len(p), nil
}

func (o *output) pass(p []byte) {
	if !o.broken {
		_, err := o.w.Write(p)
		o.broken = err != nil
	}
}

// look finds the error lines. A line that goes on is kept as far as it is told.
func (o *output) look(p []byte) {
	for len(p) > 0 && len(o.errors) < maxErrors {
		i := bytes.IndexByte(p, '\n')
		part := p
		if i >= 0 {
			part = p[:i]
		}
		o.line = append(o.line, part[:min(len(part), 300-len(o.line))]...)
		if i < 0 {
			return
		}
		p = p[i+1:]
		text := string(o.line)
		o.line = o.line[:0]
		for _, prefix := range []string{"npm error ", "npm ERR! "} {
			if rest, ok := strings.CutPrefix(text, prefix); ok && strings.TrimSpace(rest) != "" {
				o.errors = append(o.errors, strings.TrimSpace(rest))
			}
		}
	}
}

// failures returns npm's first error lines as one.
func (o *output) failures() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.ToValidUTF8(strings.Join(o.errors, "; "), "\ufffd")
}
