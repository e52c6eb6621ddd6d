package processes

import (
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// What a drone may log on each of its streams.
const (
	linesRate  = 1000 // lines a second
	linesBurst = 5000
	bytesRate  = 1 << 20 // bytes a second
	bytesBurst = 4 << 20
)

// budget says how much of a stream may be written.
type budget struct {
	lines    float64 // tokens
	bytes    float64
	filled   time.Time
	dropping bool
}

func newBudget(now time.Time) budget {
	return budget{lines: linesBurst, bytes: bytesBurst, filled: now}
}

// admits reports whether a line may be written now. Once nothing is left it
// says no until there is enough for a while, so that drops are told once a
// second and not once a line.
func (b *budget) admits(now time.Time) bool {
	if passed := now.Sub(b.filled).Seconds(); passed > 0 {
		b.lines = min(b.lines+passed*linesRate, linesBurst)
		b.bytes = min(b.bytes+passed*bytesRate, bytesBurst)
		b.filled = now
	}
	if b.dropping {
		b.dropping = b.lines < linesRate || b.bytes < bytesRate
	} else {
		b.dropping = b.lines < 1 || b.bytes < 1
	}
	return !b.dropping
}

// spend takes a line out of the budget.
func (b *budget) spend(line runner.Line) {
	b.lines--
	b.bytes -= float64(len(line.Text) + 100) // what JSON adds
}
