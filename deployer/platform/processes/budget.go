package processes

import (
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Limits of what a drone may log on each of its streams.
const (
	linesRate  = 1000 // lines a second
	linesBurst = 5000
	bytesRate  = 1 << 20 // bytes a second
	bytesBurst = 4 << 20
)

// budget limits how much of a stream is written to the log.
type budget struct {
	lines    float64 // tokens
	bytes    float64
	filled   time.Time
	dropping bool
}

func newBudget(now time.Time) budget {
	return budget{lines: linesBurst, bytes: bytesBurst, filled: now}
}

// admits reports whether a line may be written now. Once the budget is used up, it
// returns false until there is enough for a second, so that dropped lines are
// reported once a second and not once a line.
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

// spend subtracts a line from the budget.
func (b *budget) spend(line runner.Line) {
	b.lines--
	b.bytes -= float64(len(line.Text) + 100) // what JSON adds
}
