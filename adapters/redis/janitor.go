package redis

import (
	"context"
	"time"
)

const (
	firstSweep = time.Minute // after the start, which has enough to do
	sweepEvery = 10 * time.Minute
	pass       = 100 // things removed by one script, so that Redis is not kept busy
)

// janitor removes what is too old, or too much, now and then.
func (s *Store) janitor(ctx context.Context) {
	next := time.NewTimer(firstSweep)
	defer next.Stop()
	for {
		select {
		case <-next.C:
			next.Reset(sweepEvery)
		case <-ctx.Done():
			return
		}
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.o.Logger.Warn("cleaning of redis failed", "error", err)
		}
	}
}

// Sweep removes outcomes and changes that are too old, or too many for their
// user. Several processes may do it at once.
func (s *Store) Sweep(ctx context.Context) error {
	oldestChange := max(s.now().Add(-s.o.KeepChanges).UnixMilli(), 0)
	madeAfter := max(s.now().Add(-s.o.KeepEntries).UnixMicro(), 0)
	users := s.client.SScan(ctx, s.base()+"users", 0, "", pass).Iterator()
	for users.Next(ctx) {
		for {
			r, err := s.call(ctx, "sweep", users.Val(), oldestChange, s.o.MaxEntries, madeAfter, pass)
			if err != nil {
				return wrap("sweep", users.Val(), err)
			}
			done, isNumber := r.value.(int64)
			if !isNumber || done < pass {
				break
			}
		}
	}
	return wrap("sweep", "users", users.Err())
}
