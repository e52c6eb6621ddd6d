package processes

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Limits of the captured output of a drone.
const (
	maxLine   = 64 << 10 // bytes of a line
	tailLines = 50       // kept in memory for a StartError
	tailText  = 4 << 10  // bytes of a line in memory
)

// capture reads the output of one drone.
type capture struct {
	process string
	drone   int
	journal *applog.Journal
	mask    *applog.Mask
	now     func() time.Time

	sources []*source
	wg      sync.WaitGroup
}

func newCapture(process string, drone int, j *applog.Journal, m *applog.Mask, now func() time.Time) *capture {
	return &capture{process: process, drone: drone, journal: j, mask: m, now: now}
}

// pipe returns the write end of a pipe for the child; the caller closes it.
func (c *capture) pipe(stream runner.Stream) (*os.File, error) {
	r, w, err := group.OpenPipe()
	if err != nil {
		return nil, err
	}
	c.wg.Go(c.source(stream, r).read)
	return w, nil
}

func (c *capture) source(stream runner.Stream, pipe *group.Pipe) *source {
	s := &source{capture: c, stream: stream, pipe: pipe, budget: newBudget(c.now())}
	c.sources = append(c.sources, s)
	return s
}

// close is called when the processes of the drone's group have ended. It reads all
// that they wrote; what others write, which escaped from the group, is not read.
func (c *capture) close() {
	for _, s := range c.sources {
		s.pipe.Finish()
	}
	c.wg.Wait()
	for _, s := range c.sources {
		_ = s.pipe.Close() // only read
		s.mu.Lock()
		lines := s.settle()
		s.mu.Unlock()
		c.journal.Append(lines...)
	}
}

// last returns the last lines of the drone, oldest first. Half of them are
// reserved for each stream, so that a flood on one doesn't hide the other.
func (c *capture) last() []runner.Line {
	var all []runner.Line
	for i, s := range c.sources {
		room := tailLines
		for j, other := range c.sources {
			if i != j {
				room = max(tailLines/2, room-len(other.last()))
			}
		}
		lines := s.last()
		all = append(all, lines[max(0, len(lines)-room):]...)
	}
	slices.SortStableFunc(all, func(a, b runner.Line) int { return a.Time.Compare(b.Time) })
	return all
}

// lastText returns the text of the last lines.
func (c *capture) lastText() string {
	var lines []string
	for _, line := range c.last() {
		lines = append(lines, line.Text)
	}
	return strings.Join(lines, "\n")
}

// source is one output stream of a drone. Lines beyond its budget are read,
// counted and dropped, so that the drone never blocks on its output.
type source struct {
	capture *capture
	stream  runner.Stream
	pipe    *group.Pipe

	mu      sync.Mutex
	budget  budget
	dropped int           // lines, since the last report of dropped lines
	tail    []runner.Line // the newest lines; the last of them may have been dropped from the log
}

func (s *source) last() []runner.Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tail)
}

// read reads lines until the end of the stream.
func (s *source) read() {
	chunk := make([]byte, maxLine)
	line := make([]byte, 0, 1024) // the unfinished line, as far as it is kept
	for {
		n, err := s.pipe.Read(chunk)
		line = s.add(chunk[:n], line)
		if err != nil {
			break
		}
	}
	if len(line) > 0 {
		s.add([]byte{'\n'}, line)
	}
}

// add logs the lines that end within text and returns the unfinished one.
func (s *source) add(text, line []byte) []byte {
	now := s.capture.now().UTC()
	var lines []runner.Line
	s.mu.Lock()
	for {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			break
		}
		if !s.budget.admits(now) {
			text, line = s.drop(text, line, now)
			break
		}
		entry := s.line(s.join(line, text[:i]), now)
		text, line = text[i+1:], line[:0]
		if s.dropped > 0 {
			lines = append(lines, s.gap(s.dropped, now))
			s.dropped = 0
		}
		s.budget.spend(entry)
		lines = append(lines, entry)
		s.keep(entry)
	}
	s.mu.Unlock()
	s.capture.journal.Append(lines...)
	return s.join(line, text)
}

// drop handles a flood cheaply: it counts the lines that end within text, keeps
// the newest in the tail, and returns the unfinished one.
func (s *source) drop(text, line []byte, now time.Time) (rest, begun []byte) {
	end := bytes.LastIndexByte(text, '\n') + 1
	lines, rest := text[:end], text[end:]
	s.dropped += bytes.Count(lines, []byte{'\n'})
	begin := end
	for range tailLines {
		if begin = bytes.LastIndexByte(lines[:max(0, begin-1)], '\n') + 1; begin == 0 {
			break
		}
	}
	if begin > 0 {
		line = line[:0] // its end is not among the newest lines
	}
	for one := range bytes.Lines(lines[begin:]) {
		s.keep(s.line(s.join(line, one[:len(one)-1]), now))
		line = line[:0]
	}
	return rest, line
}

// settle returns the lines to write when the stream has ended: the number of
// dropped lines, and the newest of these, as they may explain why the drone
// ended.
func (s *source) settle() []runner.Line {
	if s.dropped == 0 {
		return nil
	}
	newest := s.tail[max(0, len(s.tail)-s.dropped):]
	var lines []runner.Line
	if lost := s.dropped - len(newest); lost > 0 {
		lines = append(lines, s.gap(lost, newest[0].Time))
	}
	s.dropped = 0
	return append(lines, newest...)
}

// join adds text to a line, up to a limit. The limit is larger than maxLine by the
// longest secret, so that no secret is cut before it is masked.
func (s *source) join(line, text []byte) []byte {
	room := maxLine + s.capture.mask.Longest() - len(line)
	return append(line, text[:min(len(text), max(0, room))]...)
}

func (s *source) line(text []byte, now time.Time) runner.Line {
	masked := s.capture.mask.Apply(strings.ToValidUTF8(string(bytes.TrimSuffix(text, []byte{'\r'})), "\ufffd"))
	return runner.Line{Time: now, Process: s.capture.process, Drone: s.capture.drone, Stream: s.stream, Text: cut(masked, maxLine)}
}

func (s *source) gap(lost int, now time.Time) runner.Line {
	return runner.Line{Time: now, Process: s.capture.process, Drone: s.capture.drone, Stream: runner.Platform, Text: fmt.Sprintf("%d lines dropped, as they came too fast", lost)}
}

func (s *source) keep(line runner.Line) {
	if len(s.tail) == tailLines {
		s.tail = append(s.tail[:0], s.tail[1:]...)
	}
	line.Text = cut(line.Text, tailText)
	s.tail = append(s.tail, line)
}

// cut returns at most limit bytes of text, which must be UTF-8, without splitting
// a character.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "")
}
