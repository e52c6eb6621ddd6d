package coretest

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// enqueue puts the entry into the queue, and into the lane that p names.
func (m *Memory) enqueue(r *record, p deploy.Place) {
	r.queued, r.at, r.queuedAt = true, p.At, m.now()
	if p.Lane != "" {
		r.lane = p.Lane
		m.enterLane(r, p.PushedAt)
	}
	wake(m.ready)
}

// enterLane makes the entry the newest of its lane unless another one is newer.
func (m *Memory) enterLane(r *record, pushedAt time.Time) {
	lane := newestOf(m.lanes, r.lane)
	now := m.now()
	if lane.pushedAt.After(now) {
		lane.pushedAt = time.Time{}
	}
	if pushedAt.After(now) {
		pushedAt = now.Truncate(time.Second) // as senders' times are
	}
	e := r.change.Entry
	if e.Order < lane.order || !pushedAt.IsZero() && pushedAt.Before(lane.pushedAt) {
		return
	}
	if before := m.entries[lane.id]; before != nil && before != r && before.queued && before.leaseEnd.IsZero() {
		before.at = time.Time{}
	}
	lane.id, lane.order = e.ID, e.Order
	if !pushedAt.IsZero() {
		lane.pushedAt = pushedAt
	}
}

func (r *record) endClaim() { r.leaseEnd, r.app = time.Time{}, "" }

// isReady reports whether the entry may be claimed at now: also if it was queued
// later than that, which means that the clock was set back.
func (r *record) isReady(now time.Time) bool { return !r.at.After(now) || r.queuedAt.After(now) }

// before reports whether r became ready before s.
func (r *record) before(s *record) bool {
	return cmp.Or(r.at.Compare(s.at), cmp.Compare(r.change.Entry.Order, s.change.Entry.Order)) < 0
}

// Claim implements deploy.Queue.
func (m *Memory) Claim(ctx context.Context, lease time.Duration) (deploy.Claim, bool, time.Time, error) {
	if err := ctx.Err(); err != nil {
		return deploy.Claim{}, false, time.Time{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	busy := map[string]bool{} // lanes
	var next time.Time
	soonest := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for _, r := range m.entries {
		if end := now.Add(lease); r.leaseEnd.After(end) { // the clock was set back
			r.leaseEnd = end
		}
		if r.leaseEnd.After(now) {
			soonest(r.leaseEnd)
			busy[r.lane] = r.lane != ""
		}
	}
	var best *record
	for _, r := range m.entries {
		switch {
		case !r.queued || r.leaseEnd.After(now):
		case !r.isReady(now):
			soonest(r.at)
		case busy[r.lane]:
		case best == nil || r.before(best):
			best = r
		}
	}
	if best == nil {
		return deploy.Claim{}, false, next, nil
	}
	lost := !best.leaseEnd.IsZero()
	best.app, best.leaseEnd = "", now.Add(lease)
	e := best.change.Entry
	e.Attempts++
	e.UpdatedAt = now
	change := m.write(best, e)
	return deploy.Claim{Change: change, Attempt: change.Entry.Attempts, Lost: lost, Newest: m.newest(best)}, true, time.Time{}, nil
}

// Renew implements deploy.Queue.
func (m *Memory) Renew(ctx context.Context, c deploy.Claim, lease time.Duration) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.claimed(c.Change.Entry.ID, c.Attempt)
	if err != nil {
		return "", err
	}
	r.leaseEnd = m.now().Add(lease)
	return m.newest(r), nil
}

// ClaimApp implements deploy.Queue.
func (m *Memory) ClaimApp(ctx context.Context, c deploy.Claim, app string) (string, bool, error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.claimed(c.Change.Entry.ID, c.Attempt)
	if err != nil {
		return "", false, err
	}
	name := r.change.Entry.User + "/" + app
	now := m.now()
	for _, other := range m.entries {
		if other != r && other.app == name && other.leaseEnd.After(now) {
			return "", true, nil
		}
	}
	r.app = name
	if n, e := newestOf(m.apps, name), r.change.Entry; n.order < e.Order {
		n.id, n.order = e.ID, e.Order
	}
	return m.newest(r), false, nil
}

// claimed returns the entry's record if the claim of that attempt was not lost.
func (m *Memory) claimed(id string, attempt int) (*record, error) {
	r, exists := m.entries[id]
	if !exists || r.leaseEnd.IsZero() || r.change.Entry.Attempts != attempt {
		return nil, fmt.Errorf("memory: claim of %s: %w", id, core.ErrConflict)
	}
	now := m.now()
	for _, other := range m.entries {
		same := r.lane != "" && other.lane == r.lane || r.app != "" && other.app == r.app
		if other != r && same && other.leaseEnd.After(now) {
			return nil, fmt.Errorf("memory: claim of %s, whose lane or app was claimed since: %w", id, core.ErrConflict)
		}
	}
	return r, nil
}

// newest returns the value of deploy.Claim.Newest.
func (m *Memory) newest(r *record) string {
	if r.app != "" {
		if id := m.apps[r.app].id; id != r.change.Entry.ID {
			return id
		}
	}
	if r.lane == "" {
		return ""
	}
	return m.lanes[r.lane].id
}

// Ready implements deploy.Queue.
func (m *Memory) Ready() <-chan struct{} { return m.ready }

// Backlog implements deploy.Queue.
func (m *Memory) Backlog(ctx context.Context) (b deploy.Backlog, err error) {
	if err := ctx.Err(); err != nil {
		return deploy.Backlog{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for _, r := range m.entries {
		switch {
		case r.leaseEnd.After(now):
			b.Claimed++
		case !r.leaseEnd.IsZero():
			b.Ready++
		case !r.queued:
		case !r.isReady(now):
			b.Delayed++
		default:
			b.Ready++
			since := r.at
			if since.IsZero() {
				since = r.change.Entry.UpdatedAt
			}
			if b.Oldest.IsZero() || since.Before(b.Oldest) {
				b.Oldest = since
			}
		}
	}
	return b, nil
}

func newestOf(all map[string]*newest, name string) *newest {
	n, exists := all[name]
	if !exists {
		n = &newest{}
		all[name] = n
	}
	return n
}
