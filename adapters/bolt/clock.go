package bolt

import (
	"errors"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// steadied returns a clock that begins with now and then follows the monotonic
// clock, if now has a monotonic reading: it does not change when the clock of the
// machine is set. Leases and the queue use it.
func steadied(now func() time.Time) func() time.Time {
	begin := now()
	return func() time.Time { return begin.Add(now().Sub(begin)) }
}

// bySteady converts At of a place from the caller's clock to the steady one.
func (s *Store) bySteady(p deploy.Place) deploy.Place {
	if !p.At.IsZero() {
		p.At = s.steady().Add(p.At.Sub(s.o.Now()))
	}
	return p
}

// byCaller converts a time from the steady clock to the caller's.
func (s *Store) byCaller(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	return s.o.Now().Add(at.Sub(s.steady()))
}

// clockSetBack ends delays and leases that began when the clock was ahead: an entry
// that was queued later than now becomes ready, and no lease lasts longer than one
// that begins now. It reports whether there may be any, and changes them only if
// write is set.
func (t table) clockSetBack(now int64, lease time.Duration, write bool) (found bool, err error) {
	all, err := t.claims()
	if err != nil {
		return false, err
	}
	for _, c := range all {
		if c.ends <= now+int64(lease) {
			continue
		}
		found = true
		if c.ends = now + int64(lease); write {
			if err := t.putClaim(c); err != nil {
				return true, err
			}
		}
	}
	if number(t.get(bucketMeta, []byte(metaDelayed))) <= now {
		return found, nil
	}
	if write {
		err = t.endDelays(now)
	}
	return true, err
}

// endDelays makes entries ready that were queued later than now.
func (t table) endDelays(now int64) error {
	var ahead []int64
	collect := func(key, _ []byte) error {
		if turn := parseTurn(key[len(key)-16:]); turn.at > now {
			ahead = append(ahead, turn.order)
		}
		return nil
	}
	if err := errors.Join(t.bucket(bucketQueue).ForEach(collect), t.bucket(bucketWaiting).ForEach(collect)); err != nil {
		return err
	}
	for _, order := range ahead {
		r, err := t.record(order)
		if err != nil {
			return err
		}
		if r.queuedAt <= now {
			continue
		}
		if err := t.changeLane(r.lane, func() error { return t.makeReady(order, r.lane) }); err != nil {
			return err
		}
	}
	return t.put(bucketMeta, []byte(metaDelayed), orderKey(now))
}

func ignoreNotFound(err error) error {
	if errors.Is(err, core.ErrNotFound) {
		return nil
	}
	return err
}
