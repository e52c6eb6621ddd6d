package drones

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// What a drone may log; more is read, counted and dropped, so that the drone
// never waits for us.
const (
	maxLine     = 64 << 10 // bytes of a line
	linesRate   = 1000     // lines a second
	linesBurst  = 5000
	bytesRate   = 1 << 20 // bytes a second
	bytesBurst  = 4 << 20
	tailLines   = 50      // kept in memory for a StartError
	tailText    = 4 << 10 // bytes of a line there
	captureTail = time.Second
)

// capture reads what one drone writes.
type capture struct {
	drone   int
	journal *journal
	now     func() time.Time

	mu       sync.Mutex
	tail     []Line
	lines    float64 // tokens
	bytes    float64
	filled   time.Time
	dropping bool
	dropped  int

	pipes []*os.File
	wg    sync.WaitGroup
}

func newCapture(drone int, j *journal, now func() time.Time) *capture {
	return &capture{drone: drone, journal: j, now: now, lines: linesBurst, bytes: bytesBurst, filled: now()}
}

// pipe returns the end to write to, for the child; the caller closes it.
func (c *capture) pipe(stream Stream) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.pipes = append(c.pipes, r)
	c.wg.Go(func() { c.read(r, stream) })
	return w, nil
}

// close waits until all is read. It does not wait long for a writer that
// still has the pipe: whoever escaped from the drone's group.
func (c *capture) close() {
	for _, r := range c.pipes {
		_ = r.SetReadDeadline(time.Now().Add(captureTail))
	}
	c.wg.Wait()
	for _, r := range c.pipes {
		_ = r.Close() // only read
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dropped > 0 {
		c.journal.append(c.droppedLine(c.now()))
	}
}

// last returns the last lines of the drone, oldest first.
func (c *capture) last() []Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Line(nil), c.tail...)
}

// read splits what comes from r into lines, until its end.
func (c *capture) read(r io.Reader, stream Stream) {
	chunk := make([]byte, maxLine)
	line := make([]byte, 0, 1024) // the line that is not ended yet, as far as it is kept
	for {
		n, err := r.Read(chunk)
		line = c.take(chunk[:n], line, stream)
		if err != nil {
			break
		}
	}
	if len(line) > 0 {
		c.take([]byte{'\n'}, line, stream)
	}
}

// take adds the lines that end within text and returns the one that goes on.
func (c *capture) take(text, line []byte, stream Stream) []byte {
	if len(text) == 0 {
		return line
	}
	c.mu.Lock()
	now := c.now().UTC()
	var lines []Line
	for len(text) > 0 {
		if !c.admits(now) {
			// The cheap way through a flood: only count.
			if n := bytes.Count(text, []byte{'\n'}); n > 0 {
				c.dropped += n
				text, line = text[bytes.LastIndexByte(text, '\n')+1:], line[:0]
			}
			line = append(line, text[:min(len(text), maxLine-len(line))]...)
			break
		}
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			line = append(line, text[:min(len(text), maxLine-len(line))]...)
			break
		}
		line = append(line, text[:min(i, maxLine-len(line))]...)
		text = text[i+1:]
		if c.dropped > 0 {
			lines = append(lines, c.droppedLine(now))
		}
		c.lines--
		c.bytes -= float64(len(line) + 100) // what JSON adds
		entry := Line{Time: now, Drone: c.drone, Stream: stream, Text: cleanText(line, maxLine)}
		lines = append(lines, entry)
		c.keep(entry)
		line = line[:0]
	}
	c.mu.Unlock()
	c.journal.append(lines...)
	return line
}

// admits tells whether a line may be written now. Once nothing is left it
// says no until there is enough for a while, so that drops are told once a
// second and not once a line.
func (c *capture) admits(now time.Time) bool {
	if passed := now.Sub(c.filled).Seconds(); passed > 0 {
		c.lines = min(c.lines+passed*linesRate, linesBurst)
		c.bytes = min(c.bytes+passed*bytesRate, bytesBurst)
		c.filled = now
	}
	if c.dropping {
		c.dropping = c.lines < linesRate || c.bytes < bytesRate
	} else {
		c.dropping = c.lines < 1 || c.bytes < 1
	}
	return !c.dropping
}

func (c *capture) droppedLine(now time.Time) Line {
	line := Line{Time: now.UTC(), Drone: c.drone, Stream: Platform, Text: fmt.Sprintf("%d lines dropped, as they came too fast", c.dropped)}
	c.dropped = 0
	return line
}

func (c *capture) keep(line Line) {
	if len(c.tail) == tailLines {
		c.tail = append(c.tail[:0], c.tail[1:]...)
	}
	line.Text = cleanText([]byte(line.Text), tailText)
	c.tail = append(c.tail, line)
}

// cleanText returns line as UTF-8 of at most limit bytes.
func cleanText(line []byte, limit int) string {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	text := strings.ToValidUTF8(string(line), "\ufffd")
	if len(text) > limit {
		// A replacement is longer than what it replaces; cut without halving a rune.
		text = strings.ToValidUTF8(text[:limit], "")
	}
	return text
}
