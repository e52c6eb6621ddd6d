package status

import (
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// window holds the newest lines of a user's log: all changes after from, up to
// newest. Its follower's lock guards it.
type window struct {
	maxLines, maxBytes int

	from   core.Seq // exclusive
	newest core.Seq // of the last line; from if there are none
	lines  []core.Line
	bytes  int
	first  int64 // number of lines[0], counting the user's lines since the window began
}

// begin makes w an empty window after at.
func (w *window) begin(at core.Seq) { w.from, w.newest = at, at }

// add appends lines and drops the oldest if there are too many. Readers hold
// parts of w.lines, so what was appended is never written to again.
func (w *window) add(lines []core.Line) {
	w.lines = append(w.lines, lines...)
	for _, line := range lines {
		w.bytes += line.Size()
		w.newest = line.Seq
	}
	if len(w.lines) <= w.maxLines && w.bytes <= w.maxBytes {
		return
	}
	// Down to three quarters at once: dropping copies what remains, so that the
	// memory of what is dropped is freed.
	drop := 0
	for drop < len(w.lines) && (len(w.lines)-drop > w.maxLines-w.maxLines/4 || w.bytes > w.maxBytes-w.maxBytes/4) {
		w.bytes -= w.lines[drop].Size()
		w.from = w.lines[drop].Seq
		drop++
	}
	w.lines = slices.Clone(w.lines[drop:])
	w.first += int64(drop)
}

// after returns the lines after seq, at most limit, and the number of the first
// of them. seq must not be before w.from.
func (w *window) after(seq core.Seq, limit int) (lines []core.Line, number int64) {
	i, found := slices.BinarySearchFunc(w.lines, seq, func(line core.Line, seq core.Seq) int {
		return line.Seq.Compare(seq)
	})
	if found {
		i++
	}
	end := min(i+limit, len(w.lines))
	return w.lines[i:end:end], w.first + int64(i)
}

// total returns the number that the next line will have.
func (w *window) total() int64 { return w.first + int64(len(w.lines)) }
