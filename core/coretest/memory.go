package coretest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
)

// Store is everything that a storage adapter implements.
type Store interface {
	deploy.Store
	deploy.Queue
	deploy.Watcher
	deploy.Outbox
	status.Log
	status.Feed
}

// Memory is the Store that keeps everything in memory, and nothing after it.
type Memory struct {
	now         func() time.Time
	keepChanges int
	ready       chan struct{}

	mu      sync.Mutex
	entries map[string]*record
	keys    map[string]string    // user + key → entry id
	lanes   map[string]*crowd    // by lane
	apps    map[string]*crowd    // by user/app
	feeds   map[string]*feed     // by user
	owed    map[string]time.Time // by id of the entry: until when somebody tells it
}

var _ Store = (*Memory)(nil)

// record is an entry with its place in the queue.
type record struct {
	change   core.Change
	payload  []byte
	lane     string
	app      string // joined; "" for none
	queued   bool
	at       time.Time
	leaseEnd time.Time // zero: not claimed
}

// crowd is those who share a lane or an app.
type crowd struct {
	newest   string
	pushedAt time.Time
}

type feed struct {
	changes  []core.Change
	last     core.Seq
	trimmed  core.Seq // of the last change that is not kept any more
	watchers map[chan struct{}]struct{}
}

// NewMemory returns an empty Memory. now is its clock; nil is time.Now. It
// keeps keepChanges changes for each user; 0 is all.
func NewMemory(now func() time.Time, keepChanges int) *Memory {
	if now == nil {
		now = func() time.Time { return time.Now().UTC() }
	}
	return &Memory{
		now: now, keepChanges: keepChanges, ready: make(chan struct{}, 1),
		entries: map[string]*record{}, keys: map[string]string{},
		lanes: map[string]*crowd{}, apps: map[string]*crowd{}, feeds: map[string]*feed{},
		owed: map[string]time.Time{},
	}
}

// Accept implements deploy.Store.
func (m *Memory) Accept(ctx context.Context, a deploy.Acceptance) (core.Change, bool, error) {
	if err := ctx.Err(); err != nil {
		return core.Change{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := a.Entry.User + "\x00" + a.Key
	if a.Key != "" {
		if id, there := m.keys[key]; there {
			return clone(m.entries[id].change), true, nil
		}
	}
	if _, there := m.entries[a.Entry.ID]; there {
		return core.Change{}, false, fmt.Errorf("memory: accept %s: %w", a.Entry.ID, core.ErrConflict)
	}
	r := &record{payload: slices.Clone(a.Payload)}
	m.entries[a.Entry.ID] = r
	if a.Key != "" {
		m.keys[key] = a.Entry.ID
	}
	change := m.write(r, a.Entry)
	if a.Place != nil {
		m.place(r, *a.Place)
	}
	return change, false, nil
}

// Save implements deploy.Store.
func (m *Memory) Save(ctx context.Context, e core.Entry, move deploy.Move) (core.Change, error) {
	if err := ctx.Err(); err != nil {
		return core.Change{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, there := m.entries[e.ID]
	if !there {
		return core.Change{}, fmt.Errorf("memory: save %s: %w", e.ID, core.ErrNotFound)
	}
	if r.change.Entry.Revision != e.Revision {
		return core.Change{}, fmt.Errorf("memory: save %s at revision %d: %w", e.ID, e.Revision, core.ErrConflict)
	}
	if move.Claim != 0 {
		if _, err := m.claimed(e.ID, move.Claim); err != nil {
			return core.Change{}, err
		}
	}
	change := m.write(r, e)
	switch {
	case move.Place != nil:
		r.giveUp()
		m.place(r, *move.Place)
	case !move.Stay:
		r.queued = false
		r.giveUp()
		m.signal()
	}
	return change, nil
}

// write makes e the entry's next revision and appends the change.
func (m *Memory) write(r *record, e core.Entry) core.Change {
	e = e.Clone()
	e.Revision++
	f := m.feed(e.User)
	f.last = f.last.Next(m.now())
	r.change = core.Change{Seq: f.last, Entry: e}
	f.changes = append(f.changes, r.change)
	if over := len(f.changes) - m.keepChanges; m.keepChanges > 0 && over > 0 {
		f.trimmed = f.changes[over-1].Seq
		f.changes = slices.Clone(f.changes[over:])
	}
	for w := range f.watchers {
		wake(w)
	}
	return clone(r.change)
}

// place puts the entry into the queue, and into its lane.
func (m *Memory) place(r *record, p deploy.Place) {
	r.queued, r.at = true, p.At
	if p.Lane != "" {
		r.lane = p.Lane
	}
	if p.Enter && r.lane != "" {
		lane := m.crowd(m.lanes, r.lane)
		if p.PushedAt.IsZero() || lane.pushedAt.IsZero() || !p.PushedAt.Before(lane.pushedAt) {
			if before := m.entries[lane.newest]; before != nil && before != r && before.queued && before.leaseEnd.IsZero() {
				before.at = time.Time{}
			}
			lane.newest = r.change.Entry.ID
			if !p.PushedAt.IsZero() {
				lane.pushedAt = p.PushedAt
			}
		}
	}
	m.signal()
}

func (r *record) giveUp() { r.leaseEnd, r.app = time.Time{}, "" }

// Find implements deploy.Store.
func (m *Memory) Find(ctx context.Context, id string) (core.Change, error) {
	if err := ctx.Err(); err != nil {
		return core.Change{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, there := m.entries[id]
	if !there {
		return core.Change{}, fmt.Errorf("memory: find %q: %w", id, core.ErrNotFound)
	}
	return clone(r.change), nil
}

// ByCommit implements deploy.Store.
func (m *Memory) ByCommit(ctx context.Context, repository string, commits []string) ([]core.Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []core.Change
	for _, r := range m.entries {
		e := r.change.Entry
		if e.Repository.Key() != repository {
			continue
		}
		for _, id := range append([]string{e.Commit.ID}, e.Commits...) {
			if slices.Contains(commits, id) {
				found = append(found, clone(r.change))
				break
			}
		}
	}
	slices.SortFunc(found, func(a, b core.Change) int { return cmp.Compare(b.Entry.ID, a.Entry.ID) })
	return found[:min(len(found), 100)], nil
}

// Claim implements deploy.Queue.
func (m *Memory) Claim(ctx context.Context, lease time.Duration) (deploy.Claim, bool, time.Time, error) {
	if err := ctx.Err(); err != nil {
		return deploy.Claim{}, false, time.Time{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	taken := map[string]bool{} // lanes and apps
	var next time.Time
	soonest := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for _, r := range m.entries {
		if r.leaseEnd.After(now) {
			soonest(r.leaseEnd)
			taken["lane "+r.lane], taken["app "+r.app] = r.lane != "", r.app != ""
		}
	}
	var best *record
	for _, r := range m.entries {
		switch {
		case !r.queued || r.leaseEnd.After(now):
		case r.at.After(now):
			soonest(r.at)
		case r.lane != "" && taken["lane "+r.lane]:
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
	return deploy.Claim{Change: change, Attempt: change.Entry.Attempts, Lost: lost, Standing: m.standing(best)}, true, time.Time{}, nil
}

// before tells whether r became ready before s.
func (r *record) before(s *record) bool {
	return cmp.Or(r.at.Compare(s.at), cmp.Compare(r.change.Entry.ID, s.change.Entry.ID)) < 0
}

// Renew implements deploy.Queue.
func (m *Memory) Renew(ctx context.Context, c deploy.Claim, lease time.Duration) (deploy.Standing, error) {
	if err := ctx.Err(); err != nil {
		return deploy.Standing{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.claimed(c.Change.Entry.ID, c.Attempt)
	if err != nil {
		return deploy.Standing{}, err
	}
	r.leaseEnd = m.now().Add(lease)
	return m.standing(r), nil
}

// Join implements deploy.Queue.
func (m *Memory) Join(ctx context.Context, c deploy.Claim, app string) (deploy.Standing, bool, error) {
	if err := ctx.Err(); err != nil {
		return deploy.Standing{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.claimed(c.Change.Entry.ID, c.Attempt)
	if err != nil {
		return deploy.Standing{}, false, err
	}
	name := r.change.Entry.User + "/" + app
	now := m.now()
	for _, other := range m.entries {
		if other != r && other.app == name && other.leaseEnd.After(now) {
			return deploy.Standing{}, true, nil
		}
	}
	r.app = name
	if of := m.crowd(m.apps, name); of.newest < r.change.Entry.ID {
		of.newest = r.change.Entry.ID
	}
	return m.standing(r), false, nil
}

// claimed returns the record that the claim of that attempt holds still.
func (m *Memory) claimed(id string, attempt int) (*record, error) {
	r, there := m.entries[id]
	if !there || r.leaseEnd.IsZero() || r.change.Entry.Attempts != attempt {
		return nil, fmt.Errorf("memory: claim of %s: %w", id, core.ErrConflict)
	}
	now := m.now()
	for _, other := range m.entries {
		same := r.lane != "" && other.lane == r.lane || r.app != "" && other.app == r.app
		if other != r && same && other.leaseEnd.After(now) {
			return nil, fmt.Errorf("memory: claim of %s, whose lane or app was taken: %w", id, core.ErrConflict)
		}
	}
	return r, nil
}

// standing says who is the newest: of the app where one that was accepted
// later has joined it, else of the lane.
func (m *Memory) standing(r *record) deploy.Standing {
	if r.app != "" {
		if newest := m.apps[r.app].newest; newest != r.change.Entry.ID {
			return deploy.Standing{Newest: newest}
		}
	}
	if r.lane == "" {
		return deploy.Standing{}
	}
	return deploy.Standing{Newest: m.crowd(m.lanes, r.lane).newest}
}

// Ready implements deploy.Queue.
func (m *Memory) Ready() <-chan struct{} { return m.ready }

func (m *Memory) signal() { wake(m.ready) }

func (m *Memory) crowd(of map[string]*crowd, name string) *crowd {
	c, there := of[name]
	if !there {
		c = &crowd{}
		of[name] = c
	}
	return c
}

func (m *Memory) feed(user string) *feed {
	f, there := m.feeds[user]
	if !there {
		f = &feed{watchers: map[chan struct{}]struct{}{}}
		m.feeds[user] = f
	}
	return f
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func clone(c core.Change) core.Change { return core.Change{Seq: c.Seq, Entry: c.Entry.Clone()} }
