package processes

import "time"

// pacer says how long to wait before a drone is started again: longer each
// time, and never for ever. Its zero value has seen no crash.
type pacer struct {
	pause   time.Duration
	crashes int // in a row, none of them after having been steady
}

// crash notes that a drone ended after it had been up for so long, 0 if it never
// got ready, and returns the pause until the next start.
func (p *pacer) crash(o Options, up time.Duration) time.Duration {
	if up >= o.Steady {
		*p = pacer{}
	}
	p.crashes++
	p.pause = min(max(p.pause*2, o.Backoff), o.MaxBackoff)
	return p.pause
}
