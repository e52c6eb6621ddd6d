package redis

import (
	"sync/atomic"
	"time"
)

// serverClock is the clock of Redis, as far as it is known here. It counts from a
// moment of our monotonic clock, so that setting our clock does not change it.
type serverClock struct {
	began time.Time    // by the local clock
	then  atomic.Int64 // by the clock of Redis, in microseconds since 1970; 0: not known
}

// learn sets the time that Redis answered, as if it were the time of Redis now. So the
// estimate is never ahead, and it is behind by at most the duration of the call.
func (c *serverClock) learn(micros int64) {
	c.then.Store(micros - time.Since(c.began).Microseconds())
}

// at converts a local time to the clock of Redis, in microseconds since 1970. It
// returns 0 for the zero time, and if the clock of Redis is not known.
func (c *serverClock) at(t time.Time) int64 {
	then := c.then.Load()
	if t.IsZero() || then == 0 {
		return 0
	}
	return then + t.Sub(c.began).Microseconds()
}
