package processes

import "time"

// pacer computes the pauses before a drone is restarted, which grow exponentially
// up to a limit. The zero value is ready for use.
type pacer struct {
	pause   time.Duration
	crashes int // consecutive, without a steady drone in between
}

// crash records that a drone ended after it had been up for the given time, 0 if
// it was never ready, and returns the pause until the next start.
func (p *pacer) crash(o Options, up time.Duration) time.Duration {
	if up >= o.Steady {
		*p = pacer{}
	}
	p.crashes++
	p.pause = min(max(p.pause*2, o.Backoff), o.MaxBackoff)
	return p.pause
}
