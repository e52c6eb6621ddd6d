package bolt

import (
	"bytes"
	"context"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// turn is when an entry can be claimed: those that are ready at once are ordered by Order.
type turn struct{ at, order int64 }

func (a turn) before(b turn) bool { return a.at < b.at || a.at == b.at && a.order < b.order }

func (a turn) append(dst []byte) []byte { return appendNumber(appendNumber(dst, a.at), a.order) }

func parseTurn(key []byte) turn { return turn{number(key), number(key[8:])} }

func (r *record) turn() turn { return turn{r.at, r.order} }

// lanePrefix begins the keys of a lane in waiting. No other lane's begins it.
func lanePrefix(lane string) []byte {
	return append(appendNumber(make([]byte, 0, 24+len(lane)), int64(len(lane))), lane...)
}

// first returns the first entry that waits in a lane, if one does and the lane is
// not claimed: the one that is in the queue.
func (t table) first(lane string) (first turn, found bool, err error) {
	if claimed, err := t.laneClaimed(lane); err != nil || claimed {
		return turn{}, false, err
	}
	first, found = t.head(lane)
	return first, found, nil
}

// head returns the first entry that waits in a lane.
func (t table) head(lane string) (turn, bool) {
	prefix := lanePrefix(lane)
	key, _ := t.bucket(bucketWaiting).Cursor().Seek(prefix)
	if !bytes.HasPrefix(key, prefix) {
		return turn{}, false
	}
	return parseTurn(key[len(prefix):]), true
}

// changeLane calls change, which changes the entries that wait in a lane or whether
// it is claimed, and then makes the first entry of the lane the one in the queue.
// For entries without a lane, "", it only calls change.
func (t table) changeLane(lane string, change func() error) error {
	before, queued, err := t.first(lane)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, queue, err := t.first(lane)
	if err != nil || queued == queue && before == after {
		return err
	}
	if queued {
		if err := t.delete(bucketQueue, before.append(nil)); err != nil {
			return err
		}
	}
	if !queue {
		return nil
	}
	return t.put(bucketQueue, after.append(nil), nil)
}

// wait puts an entry into the queue or, if it is in a lane, among those that wait
// there; dequeue removes it again. They must be called within changeLane.
func (t table) wait(r *record) error {
	r.state |= queued
	if r.lane == "" {
		return t.put(bucketQueue, r.turn().append(nil), nil)
	}
	return t.put(bucketWaiting, r.turn().append(lanePrefix(r.lane)), nil)
}

func (t table) dequeue(r *record) error {
	if r.state&queued == 0 {
		return nil
	}
	r.state &^= queued
	if r.lane == "" {
		return t.delete(bucketQueue, r.turn().append(nil))
	}
	return t.delete(bucketWaiting, r.turn().append(lanePrefix(r.lane)))
}

// release ends the claim of an entry and removes it from the queue.
func (t table) release(r *record) error {
	if r.state&(queued|claimed) == 0 {
		return nil
	}
	return t.changeLane(r.lane, func() error {
		if err := t.dequeue(r); err != nil || r.state&claimed == 0 {
			return err
		}
		r.state &^= claimed
		return t.delete(bucketClaims, orderKey(r.order))
	})
}

// enqueue puts an entry that is neither queued nor claimed into the queue, and into
// its lane if it enters one. steady is the time of the queue's clock.
func (t table) enqueue(r *record, to deploy.Place, now, steady int64) error {
	r.at, r.queuedAt = nanos(to.At), 0
	if r.at != 0 {
		r.queuedAt = steady
		if delayed := number(t.get(bucketMeta, []byte(metaDelayed))); delayed < steady {
			if err := t.put(bucketMeta, []byte(metaDelayed), orderKey(steady)); err != nil {
				return err
			}
		}
	}
	if to.Lane != "" {
		r.lane = to.Lane
	}
	return t.changeLane(r.lane, func() error {
		if to.Lane != "" {
			if err := t.enter(r, nanos(to.PushedAt), now); err != nil {
				return err
			}
		}
		return t.wait(r)
	})
}

// enter makes an entry the newest of its lane unless another one is newer, see
// deploy.Place, and makes the one that was the newest ready.
func (t table) enter(r *record, pushed, now int64) error {
	value := t.get(bucketLanes, []byte(r.lane))
	var newest, newestPushed int64
	if len(value) == 16 {
		newest, newestPushed = number(value), number(value[8:])
	}
	if newestPushed > now {
		newestPushed = 0
	}
	if pushed > now {
		pushed = now - now%int64(time.Second) // the precision of senders' times
	}
	if r.order < newest || pushed != 0 && pushed < newestPushed {
		return nil
	}
	if newest != 0 && newest != r.order {
		if err := t.makeReady(newest, r.lane); err != nil {
			return err
		}
	}
	if pushed == 0 {
		pushed = newestPushed
	}
	return t.put(bucketLanes, []byte(r.lane), appendNumber(orderKey(r.order), pushed))
}

// makeReady makes an entry ready at once, if it waits in the lane for later. It must
// be called within changeLane.
func (t table) makeReady(order int64, lane string) error {
	r, err := t.record(order)
	if err != nil || r.state&queued == 0 || r.lane != lane || r.at == 0 {
		return ignoreNotFound(err)
	}
	if err := t.dequeue(&r); err != nil {
		return err
	}
	r.at, r.queuedAt = 0, 0
	if err := t.wait(&r); err != nil {
		return err
	}
	return t.put(bucketEntries, orderKey(order), r.bytes())
}

// newest returns the value of deploy.Claim.Newest.
func (t table) newest(c claim) (string, error) {
	newest := int64(0)
	if c.app != "" {
		newest = number(t.get(bucketApps, []byte(c.app)))
	}
	if c.lane != "" && (newest == 0 || newest == c.order) {
		newest = number(t.get(bucketLanes, []byte(c.lane)))
	}
	if newest == 0 {
		return "", nil
	}
	r, err := t.record(newest)
	return r.id, ignoreNotFound(err)
}

// nextReady finds the entry that became ready first in a lane that is not claimed.
func (t table) nextReady(now int64) (order int64, found bool, next int64, err error) {
	all, err := t.claims()
	if err != nil {
		return 0, false, 0, err
	}
	taken := map[string]bool{}
	for _, c := range all {
		if !c.expired(now) {
			taken[c.lane] = c.lane != ""
			next = soonest(next, c.ends)
		}
	}
	var best turn
	consider := func(candidate turn) {
		switch {
		case candidate.at > now:
			next = soonest(next, candidate.at)
		case !found || candidate.before(best):
			best, found = candidate, true
		}
	}
	for _, c := range all {
		if !c.expired(now) || taken[c.lane] {
			continue
		}
		// It can be claimed again at once; the other entries of its lane are not in
		// the queue.
		r, err := t.record(c.order)
		if err != nil {
			return 0, false, 0, err
		}
		consider(turn{min(r.at, now), r.order})
		if head, waits := t.head(c.lane); waits && c.lane != "" {
			consider(head)
		}
	}
	if key, _ := t.bucket(bucketQueue).Cursor().First(); key != nil {
		consider(parseTurn(key))
	}
	return best.order, found, next, nil
}

func soonest(a, b int64) int64 {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// Claim implements deploy.Queue.
func (s *Store) Claim(ctx context.Context, lease time.Duration) (c deploy.Claim, found bool, next time.Time, err error) {
	// Searching needs no sync; only a claim is written.
	now, setBack, at := nanos(s.steady()), false, int64(0)
	err = s.view(ctx, func(t table) error {
		if setBack, err = t.clockSetBack(now, lease, false); err != nil || setBack {
			return err
		}
		_, found, at, err = t.nextReady(now)
		return err
	})
	if err != nil || !found && !setBack {
		return deploy.Claim{}, false, s.byCaller(timeOf(at)), wrap("claim", "", err)
	}
	var change core.EncodedChange
	var user string
	err = s.update(ctx, func(t table) error {
		now := nanos(s.steady())
		if _, err := t.clockSetBack(now, lease, true); err != nil {
			return err
		}
		var order int64
		order, found, at, err = t.nextReady(now)
		if err != nil || !found {
			return err
		}
		r, err := t.record(order)
		if err != nil {
			return err
		}
		c.Lost = r.state&claimed != 0
		if c.Newest, err = t.claim(&r, now+int64(lease), nanos(s.o.Now()), s.o.MaxChanges); err != nil {
			return err
		}
		change, user = r.change(), r.user
		return nil
	})
	if err != nil || !found {
		return deploy.Claim{}, false, s.byCaller(timeOf(at)), wrap("claim", "", err)
	}
	s.watchers.Wake(user)
	c.Change, err = change.Decode()
	c.Attempt = c.Change.Entry.Attempts
	return c, err == nil, time.Time{}, wrap("claim", "", err)
}

// claim claims an entry and saves that. It returns the value of deploy.Claim.Newest.
func (t table) claim(r *record, ends, now int64, most int) (newest string, err error) {
	c := claim{order: r.order, run: t.run, ends: ends, lane: r.lane}
	err = t.changeLane(r.lane, func() error {
		if err := t.dequeue(r); err != nil {
			return err
		}
		r.state |= claimed
		return t.putClaim(c)
	})
	if err != nil {
		return "", err
	}
	r.attempts++
	r.revision++
	r.updated = now
	if err := t.save(r, t.user(r.user), now, most); err != nil {
		return "", err
	}
	return t.newest(c)
}

// Renew implements deploy.Queue.
func (s *Store) Renew(ctx context.Context, c deploy.Claim, lease time.Duration) (newest string, err error) {
	err = s.underClaim(ctx, c, func(t table, held claim, now int64) error {
		held.ends = now + int64(lease)
		if err := t.putClaim(held); err != nil {
			return err
		}
		newest, err = t.newest(held)
		return err
	})
	return newest, wrap("renew", c.Change.Entry.ID, err)
}

// ClaimApp implements deploy.Queue.
func (s *Store) ClaimApp(ctx context.Context, c deploy.Claim, app string) (newest string, busy bool, err error) {
	name := c.Change.Entry.User + "/" + app
	err = s.underClaim(ctx, c, func(t table, held claim, now int64) error {
		all, err := t.claims()
		busy = false
		for _, other := range all {
			busy = busy || other.order != held.order && other.app == name && !other.expired(now)
		}
		if err != nil || busy {
			return err
		}
		held.app = name
		if err := t.putClaim(held); err != nil {
			return err
		}
		if number(t.get(bucketApps, []byte(name))) < held.order {
			if err := t.put(bucketApps, []byte(name), orderKey(held.order)); err != nil {
				return err
			}
		}
		newest, err = t.newest(held)
		return err
	})
	return newest, busy, wrap("claim app", c.Change.Entry.ID, err)
}

// underClaim calls do in a transaction, with the claim as it is stored, or fails
// with core.ErrConflict if it was lost.
func (s *Store) underClaim(ctx context.Context, c deploy.Claim, do func(t table, held claim, now int64) error) error {
	return s.update(ctx, func(t table) error {
		now := nanos(s.steady())
		r, err := t.find(c.Change.Entry.ID)
		if err != nil {
			return err
		}
		held, err := t.claimed(r, c.Attempt, now)
		if err != nil {
			return err
		}
		return do(t, held, now)
	})
}
