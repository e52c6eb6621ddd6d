package redis

import (
	"sync/atomic"
	"time"
)

// theirClock is the clock of Redis, as far as it is known here. It counts from a
// moment of our monotonic clock, so that setting our clock does not change it.
type theirClock struct {
	began time.Time    // by our clock
	then  atomic.Int64 // by that of Redis, in microseconds since 1970; 0: not known
}

// learn takes what Redis said, which it may have said as late as now. So what
// it is taken for is never ahead, and behind by as long as the answer took.
func (c *theirClock) learn(micros int64) {
	c.then.Store(micros - time.Since(c.began).Microseconds())
}

// at is a time of ours by the clock of Redis, in microseconds since 1970; 0
// for the zero time, and where their clock is not known.
func (c *theirClock) at(t time.Time) int64 {
	then := c.then.Load()
	if t.IsZero() || then == 0 {
		return 0
	}
	return then + t.Sub(c.began).Microseconds()
}
