package coretest

import (
	"bytes"
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
	status.Log
	status.Feed
	Outbox() deploy.Outbox
}

// Memory is a Store that keeps everything in memory. It is lost with the process.
type Memory struct {
	now         func() time.Time
	keepChanges int
	ready       chan struct{}

	mu      sync.Mutex
	order   int64 // of the entry that was accepted last
	entries map[string]*record
	keys    map[string]string    // user + key → entry id
	lanes   map[string]*newest   // by lane
	apps    map[string]*newest   // by user/app
	feeds   map[string]*feed     // by user
	outbox  map[string]time.Time // entry id → end of the lease
}

var _ Store = (*Memory)(nil)

// record is an entry with its place in the queue.
type record struct {
	change   core.Change
	payload  []byte
	placed   bool   // it was accepted with a place in the queue
	lane     string // "" for none
	app      string // that the claim was extended to; "" for none
	queued   bool
	at       time.Time // not to be claimed before
	queuedAt time.Time
	leaseEnd time.Time // zero: not claimed
}

// newest is the newest entry of a lane or an app.
type newest struct {
	id       string
	order    int64
	pushedAt time.Time
}

type feed struct {
	changes  []core.Change
	last     core.Seq
	trimmed  core.Seq // of the last change that was dropped
	watchers map[chan struct{}]struct{}
}

// NewMemory returns an empty Memory. now is its clock, time.Now if nil. It keeps
// keepChanges changes of each user, all if 0.
func NewMemory(now func() time.Time, keepChanges int) *Memory {
	if now == nil {
		now = func() time.Time { return time.Now().UTC() }
	}
	return &Memory{
		now: now, keepChanges: keepChanges, ready: make(chan struct{}, 1),
		entries: map[string]*record{}, keys: map[string]string{},
		lanes: map[string]*newest{}, apps: map[string]*newest{}, feeds: map[string]*feed{},
		outbox: map[string]time.Time{},
	}
}

// Admit implements deploy.Store.
func (m *Memory) Admit() error { return nil }

// Accept implements deploy.Store.
func (m *Memory) Accept(ctx context.Context, a deploy.Acceptance) (core.Change, bool, error) {
	if err := ctx.Err(); err != nil {
		return core.Change{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := a.Entry.User + "\x00" + a.Key
	if a.Key != "" {
		if id, known := m.keys[key]; known {
			return clone(m.entries[id].change), true, nil
		}
	}
	if _, exists := m.entries[a.Entry.ID]; exists {
		return core.Change{}, false, fmt.Errorf("memory: accept %s: %w", a.Entry.ID, core.ErrConflict)
	}
	r := &record{payload: bytes.Clone(a.Payload), placed: a.Place != nil}
	m.entries[a.Entry.ID] = r
	if a.Key != "" {
		m.keys[key] = a.Entry.ID
	}
	m.order++
	a.Entry.Order = m.order
	change := m.write(r, a.Entry)
	if a.Place != nil {
		m.enqueue(r, *a.Place)
	}
	return change, false, nil
}

// Update implements deploy.Store.
func (m *Memory) Update(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	return m.save(ctx, e, claim, func(*record) {})
}

// Requeue implements deploy.Store.
func (m *Memory) Requeue(ctx context.Context, e core.Entry, claim int, p deploy.Place) (core.Change, error) {
	return m.save(ctx, e, claim, func(r *record) {
		r.endClaim()
		m.enqueue(r, p)
	})
}

// Hold implements deploy.Store.
func (m *Memory) Hold(ctx context.Context, e core.Entry, claim int, until time.Time) (core.Change, error) {
	return m.Requeue(ctx, e, claim, deploy.Place{At: until})
}

// Finish implements deploy.Store.
func (m *Memory) Finish(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	return m.save(ctx, e, claim, func(r *record) {
		r.queued = false
		r.endClaim()
		wake(m.ready)
	})
}

// save writes e as the next revision of its entry and then calls move, which
// changes the entry's place in the queue.
func (m *Memory) save(ctx context.Context, e core.Entry, claim int, move func(*record)) (core.Change, error) {
	if err := ctx.Err(); err != nil {
		return core.Change{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, exists := m.entries[e.ID]
	if !exists {
		return core.Change{}, fmt.Errorf("memory: save %s: %w", e.ID, core.ErrNotFound)
	}
	if r.change.Entry.Revision != e.Revision {
		return core.Change{}, fmt.Errorf("memory: save %s at revision %d: %w", e.ID, e.Revision, core.ErrConflict)
	}
	if claim != 0 {
		if _, err := m.claimed(e.ID, claim); err != nil {
			return core.Change{}, err
		}
	}
	change := m.write(r, e)
	move(r)
	return change, nil
}

// write makes e the next revision of its entry and appends the change.
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

// Find implements deploy.Store.
func (m *Memory) Find(ctx context.Context, id string) (core.Change, error) {
	if err := ctx.Err(); err != nil {
		return core.Change{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, exists := m.entries[id]
	if !exists {
		return core.Change{}, fmt.Errorf("memory: find %q: %w", id, core.ErrNotFound)
	}
	return clone(r.change), nil
}

// ByCommit implements deploy.Store.
func (m *Memory) ByCommit(ctx context.Context, user, repository string, commits []string) ([]core.Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []core.Change
	for _, r := range m.entries {
		e := r.change.Entry
		if !r.placed || e.Repository.Key() != repository || user != "" && e.User != "" && e.User != user {
			continue
		}
		for _, id := range append([]string{e.Commit.ID}, e.Commits...) {
			if slices.Contains(commits, id) {
				found = append(found, clone(r.change))
				break
			}
		}
	}
	slices.SortFunc(found, func(a, b core.Change) int { return cmp.Compare(b.Entry.Order, a.Entry.Order) })
	ofUser := map[string]int{}
	return slices.DeleteFunc(found, func(c core.Change) bool {
		ofUser[c.Entry.User]++
		return ofUser[c.Entry.User] > 100
	}), nil
}

func (m *Memory) feed(user string) *feed {
	f, exists := m.feeds[user]
	if !exists {
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
