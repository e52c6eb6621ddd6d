package drones

import "time"

// pacer says how long to wait before a drone is started again, and when to
// give up. Its zero value has seen no crash.
type pacer struct {
	pause   time.Duration
	crashes []time.Time // within the window
}

// crash notes that a drone ended at now after it had been up for so long.
// giveUp is true where that was one crash too many.
func (p *pacer) crash(o Options, now time.Time, up time.Duration) (pause time.Duration, giveUp bool) {
	if up >= o.CrashWindow {
		*p = pacer{}
	}
	recent := p.crashes[:0]
	for _, at := range p.crashes {
		if now.Sub(at) < o.CrashWindow {
			recent = append(recent, at)
		}
	}
	p.crashes = append(recent, now)
	if len(p.crashes) >= o.Crashes {
		return 0, true
	}
	p.pause = min(max(p.pause*2, o.Backoff), o.MaxBackoff)
	return p.pause, false
}
