package redis

import (
	"context"
	"time"
)

const (
	firstSweep = time.Minute // after the start, to reduce the load then
	sweepEvery = 10 * time.Minute
	pass       = 100 // items removed by one script, so that Redis is not blocked
)

// janitor calls Sweep at intervals until ctx ends.
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

// Sweep removes outcomes and changes that are too old, or that a user has too many
// of. Several processes may call it concurrently.
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
