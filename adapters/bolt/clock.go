package bolt

import (
	"time"

	"github.com/nodejitsu/webhooks/core/deploy"
)

// steadied returns a clock that begins with now and then goes by the monotonic
// clock, as far as now has its reading: it goes on as before when somebody sets
// the clock of the machine. Leases and the queue go by it; one process has the
// store, and what it claimed is freed when the next one opens it.
func steadied(now func() time.Time) func() time.Time {
	begin := now()
	return func() time.Time { return begin.Add(now().Sub(begin)) }
}

// bySteady returns a place whose At, by the caller's clock, is by the steady one.
func (s *Store) bySteady(p deploy.Place) deploy.Place {
	if !p.At.IsZero() {
		p.At = s.steady().Add(p.At.Sub(s.o.Now()))
	}
	return p
}

// byCaller returns a time by the steady clock as the caller's clock has it.
func (s *Store) byCaller(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return s.o.Now().Add(at.Sub(s.steady()))
}
