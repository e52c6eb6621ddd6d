package drones

import (
	"fmt"
	"time"
)

// pacer says how long to wait before a drone is started again, and when to
// give up. Its zero value has seen no crash.
type pacer struct {
	pause   time.Duration
	crashes []time.Time // within the window
	failed  int         // starts in a row that came to nothing
}

// crash notes that a drone ended at now after it had been up for so long.
// enough says what was too much of it; "" where the drone is started again
// after the pause.
func (p *pacer) crash(o Options, now time.Time, up time.Duration) (pause time.Duration, enough string) {
	p.failed = 0
	if up >= o.CrashWindow {
		*p = pacer{}
	}
	return p.next(o, now)
}

// fail notes that a start came to nothing at now, and returns as crash does.
// Many in a row are too many however long each took: for a drone that never
// gets ready they come far apart.
func (p *pacer) fail(o Options, now time.Time) (pause time.Duration, enough string) {
	p.failed++
	pause, enough = p.next(o, now)
	if enough == "" && p.failed >= o.Crashes {
		enough = fmt.Sprintf("%d failed starts in a row", p.failed)
	}
	return pause, enough
}

func (p *pacer) next(o Options, now time.Time) (pause time.Duration, enough string) {
	recent := p.crashes[:0]
	for _, at := range p.crashes {
		if now.Sub(at) < o.CrashWindow {
			recent = append(recent, at)
		}
	}
	p.crashes = append(recent, now)
	if len(p.crashes) >= o.Crashes {
		return 0, fmt.Sprintf("%d crashes within %v", o.Crashes, o.CrashWindow)
	}
	p.pause = min(max(p.pause*2, o.Backoff), o.MaxBackoff)
	return p.pause, ""
}
