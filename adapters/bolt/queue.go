package bolt

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// putPlace writes an entry's place and where it is found by: in the queue
// where it waits, among the claims where it is claimed.
func (t table) putPlace(id string, p place) error {
	var before place
	there, err := load(t.bucket("places"), []byte(id), &before)
	if err != nil {
		return err
	}
	if there {
		if err := t.bucket("queue").Delete(before.queueKey()); err != nil {
			return err
		}
		if err := t.bucket("claims").Delete([]byte(id)); err != nil {
			return err
		}
	}
	switch {
	case !p.LeaseEnd.IsZero():
		err = t.bucket("claims").Put([]byte(id), nil)
	case p.Queued:
		err = t.bucket("queue").Put(p.queueKey(), []byte(id))
	}
	if err != nil {
		return err
	}
	return store(t.bucket("places"), []byte(id), p)
}

// place returns an entry's place; the zero place where it never had one.
func (t table) place(id string) (p place, err error) {
	_, err = load(t.bucket("places"), []byte(id), &p)
	return p, err
}

// eachClaim calls f with all that is claimed, whether the lease has run out
// or not. f may change the place.
func (t table) eachClaim(f func(id string, p place) error) error {
	var claimed []string
	err := t.bucket("claims").ForEach(func(key, _ []byte) error {
		claimed = append(claimed, string(key))
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range claimed {
		p, err := t.place(id)
		if err != nil {
			return err
		}
		if err := f(id, p); err != nil {
			return err
		}
	}
	return nil
}

// enqueue puts an entry into the queue, and into its lane if it enters one. steady
// is the time by the clock that the queue goes by.
func (t table) enqueue(id string, p place, to deploy.Place, now, steady time.Time) error {
	p.Queued, p.At, p.QueuedAt, p.LeaseEnd, p.App = true, to.At, time.Time{}, time.Time{}, ""
	if !p.At.IsZero() {
		p.QueuedAt = steady
		if err := t.setNumber("delayed", max(t.number("delayed"), steady.UnixNano())); err != nil {
			return err
		}
	}
	if to.Lane != "" {
		p.Lane = to.Lane
		if err := t.enter(id, p, to.PushedAt, now); err != nil {
			return err
		}
	}
	return t.putPlace(id, p)
}

// enter makes an entry the newest of its lane unless another one is newer, see
// deploy.Place, and makes the one that was the newest ready.
func (t table) enter(id string, p place, pushedAt, now time.Time) error {
	var n newest
	if _, err := load(t.bucket("lanes"), []byte(p.Lane), &n); err != nil {
		return err
	}
	if n.PushedAt.After(now) {
		n.PushedAt = time.Time{}
	}
	if pushedAt.After(now) {
		pushedAt = now.Truncate(time.Second) // as senders' times are
	}
	if p.Order < n.Order || !pushedAt.IsZero() && pushedAt.Before(n.PushedAt) {
		return nil
	}
	if n.ID != "" && n.ID != id {
		before, err := t.place(n.ID)
		if err != nil {
			return err
		}
		if before.Queued && before.LeaseEnd.IsZero() {
			before.At = time.Time{}
			if err := t.putPlace(n.ID, before); err != nil {
				return err
			}
		}
	}
	n.ID, n.Order = id, p.Order
	if !pushedAt.IsZero() {
		n.PushedAt = pushedAt
	}
	return store(t.bucket("lanes"), []byte(p.Lane), n)
}

// newest returns what deploy.Claim.Newest says.
func (t table) newest(id string, p place) (string, error) {
	var n newest
	if p.App != "" {
		if _, err := load(t.bucket("joined"), []byte(p.App), &n); err != nil || n.ID != id {
			return n.ID, err
		}
	}
	if p.Lane == "" {
		return "", nil
	}
	_, err := load(t.bucket("lanes"), []byte(p.Lane), &n)
	return n.ID, err
}

// clockSetBack ends delays and leases that a clock which was ahead made: an entry
// that was queued later than now becomes ready, and no lease lasts longer than
// one that begins now. It reports whether there may be any; without write it
// changes nothing.
func (t table) clockSetBack(now time.Time, lease time.Duration, write bool) (found bool, err error) {
	var ahead []string
	err = t.eachClaim(func(id string, p place) error {
		if p.LeaseEnd.After(now.Add(lease)) {
			ahead = append(ahead, id)
		}
		return nil
	})
	delayed := t.number("delayed") > now.UnixNano()
	if err != nil || !write || len(ahead) == 0 && !delayed {
		return len(ahead) > 0 || delayed, err
	}
	for _, id := range ahead {
		p, err := t.place(id)
		if err != nil {
			return true, err
		}
		p.LeaseEnd = now.Add(lease)
		if err := t.putPlace(id, p); err != nil {
			return true, err
		}
	}
	if delayed {
		return true, t.endDelays(now)
	}
	return true, nil
}

// endDelays makes what was queued later than now ready.
func (t table) endDelays(now time.Time) error {
	var waiting []string
	cursor := t.bucket("queue").Cursor()
	key, id := cursor.Seek(place{At: now}.queueKey())
	for ; key != nil; key, id = cursor.Next() {
		waiting = append(waiting, string(id))
	}
	for _, id := range waiting {
		p, err := t.place(id)
		if err != nil {
			return err
		}
		if !p.QueuedAt.After(now) {
			continue
		}
		p.At, p.QueuedAt = time.Time{}, time.Time{}
		if err := t.putPlace(id, p); err != nil {
			return err
		}
	}
	return t.setNumber("delayed", now.UnixNano())
}

// Claim implements deploy.Queue.
func (s *Store) Claim(ctx context.Context, lease time.Duration) (c deploy.Claim, found bool, next time.Time, err error) {
	// Looking costs no sync; only a find is written.
	now, setBack := s.steady(), false
	err = s.view(ctx, func(t table) error {
		if setBack, err = t.clockSetBack(now, lease, false); err != nil || setBack {
			return err
		}
		_, found, next, err = t.nextReady(now)
		return err
	})
	if err != nil || !found && !setBack {
		return deploy.Claim{}, false, s.byCaller(next), wrap("claim", "", err)
	}
	err = s.update(ctx, func(t table) error {
		now := s.steady()
		if _, err := t.clockSetBack(now, lease, true); err != nil {
			return err
		}
		var id string
		id, found, next, err = t.nextReady(now)
		if err != nil || !found {
			return err
		}
		c, err = t.claim(id, s.o.Now(), now.Add(lease), s.o.MaxChanges)
		return err
	})
	if err != nil || !found {
		return deploy.Claim{}, false, s.byCaller(next), wrap("claim", "", err)
	}
	s.watchers.Wake(c.Change.Entry.User)
	return c, true, time.Time{}, nil
}

// nextReady finds the entry that became ready first in a lane that is not claimed.
func (t table) nextReady(now time.Time) (id string, found bool, next time.Time, err error) {
	taken := map[string]bool{}
	var at time.Time // when the find became ready
	soonest := func(when time.Time) {
		if next.IsZero() || when.Before(next) {
			next = when
		}
	}
	var lost []string
	err = t.eachClaim(func(claimed string, p place) error {
		if p.LeaseEnd.After(now) {
			soonest(p.LeaseEnd)
			taken[p.Lane] = p.Lane != ""
			return nil
		}
		lost = append(lost, claimed)
		return nil
	})
	if err != nil {
		return "", false, next, err
	}
	for _, candidate := range lost {
		p, err := t.place(candidate)
		if err != nil {
			return "", false, next, err
		}
		if !taken[p.Lane] && (!found || p.At.Before(at)) {
			id, found, at = candidate, true, p.At
		}
	}
	cursor := t.bucket("queue").Cursor()
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		ready := time.Unix(0, int64(binary.BigEndian.Uint64(key))).UTC() //nolint:gosec // written from an int64
		if ready.After(now) {
			soonest(ready)
			break
		}
		if found && !ready.Before(at) {
			break
		}
		candidate := string(value)
		p, err := t.place(candidate)
		if err != nil {
			return "", false, next, err
		}
		if !taken[p.Lane] {
			return candidate, true, next, nil
		}
	}
	return id, found, next, nil
}

// claim takes an entry until leaseEnd.
func (t table) claim(id string, now, leaseEnd time.Time, most int) (deploy.Claim, error) {
	before, err := t.change(id)
	if err != nil {
		return deploy.Claim{}, err
	}
	p, err := t.place(id)
	if err != nil {
		return deploy.Claim{}, err
	}
	lost := !p.LeaseEnd.IsZero()
	p.LeaseEnd, p.App = leaseEnd, ""
	if err := t.putPlace(id, p); err != nil {
		return deploy.Claim{}, err
	}
	e := before.Entry
	e.Attempts++
	e.UpdatedAt = now
	change, err := t.write(e, &before.Entry, now, most)
	if err != nil {
		return deploy.Claim{}, err
	}
	newest, err := t.newest(id, p)
	return deploy.Claim{Change: change, Attempt: e.Attempts, Lost: lost, Newest: newest}, err
}

// held returns the place of what the claim of that attempt holds still.
func (t table) held(id string, attempt int, now time.Time) (place, error) {
	p, err := t.place(id)
	if err != nil {
		return place{}, err
	}
	change, err := t.change(id)
	if err != nil {
		return place{}, err
	}
	if p.LeaseEnd.IsZero() || change.Entry.Attempts != attempt {
		return place{}, core.ErrConflict
	}
	if p.LeaseEnd.After(now) {
		return p, nil
	}
	return p, t.eachClaim(func(other string, o place) error {
		same := p.Lane != "" && o.Lane == p.Lane || p.App != "" && o.App == p.App
		if other != id && same && o.LeaseEnd.After(now) {
			return core.ErrConflict // it ran out, and the lane or the app is another's
		}
		return nil
	})
}

// Renew implements deploy.Queue.
func (s *Store) Renew(ctx context.Context, c deploy.Claim, lease time.Duration) (newest string, err error) {
	id := c.Change.Entry.ID
	err = s.update(ctx, func(t table) error {
		now := s.steady()
		p, err := t.held(id, c.Attempt, now)
		if err != nil {
			return err
		}
		p.LeaseEnd = now.Add(lease)
		if err := t.putPlace(id, p); err != nil {
			return err
		}
		newest, err = t.newest(id, p)
		return err
	})
	return newest, wrap("renew", id, err)
}

// ClaimApp implements deploy.Queue.
func (s *Store) ClaimApp(ctx context.Context, c deploy.Claim, app string) (newestID string, busy bool, err error) {
	id, name := c.Change.Entry.ID, c.Change.Entry.User+"/"+app
	err = s.update(ctx, func(t table) error {
		now := s.steady()
		p, err := t.held(id, c.Attempt, now)
		if err != nil {
			return err
		}
		busy = false
		err = t.eachClaim(func(other string, p place) error {
			busy = busy || other != id && p.App == name && p.LeaseEnd.After(now)
			return nil
		})
		if err != nil || busy {
			return err
		}
		p.App = name
		if err := t.putPlace(id, p); err != nil {
			return err
		}
		var n newest
		if _, err := load(t.bucket("joined"), []byte(name), &n); err != nil {
			return err
		}
		if n.Order < c.Change.Entry.Order {
			n = newest{ID: id, Order: c.Change.Entry.Order}
			if err := store(t.bucket("joined"), []byte(name), n); err != nil {
				return err
			}
		}
		newestID, err = t.newest(id, p)
		return err
	})
	return newestID, busy, wrap("claim app", id, err)
}
