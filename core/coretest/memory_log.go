package coretest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// Entry implements status.Log.
func (m *Memory) Entry(ctx context.Context, user, id string) (core.Change, error) {
	c, err := m.Find(ctx, id)
	if err == nil && c.Entry.User != user {
		return core.Change{}, fmt.Errorf("memory: entry %q of %q: %w", id, user, core.ErrNotFound)
	}
	return c, err
}

// Entries implements status.Log.
func (m *Memory) Entries(ctx context.Context, user, app string, skip, limit int) ([]core.Entry, int, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []core.Entry
	for _, r := range m.entries {
		if e := r.change.Entry; e.User == user && (app == "" || e.App == app) {
			all = append(all, e.Clone())
		}
	}
	slices.SortFunc(all, func(a, b core.Entry) int { return cmp.Compare(b.Order, a.Order) })
	total := len(all)
	all = all[min(skip, total):]
	return all[:min(limit, len(all))], total, nil
}

// Payload implements status.Log.
func (m *Memory) Payload(ctx context.Context, id string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.entries[id]
	if r == nil {
		return nil, fmt.Errorf("memory: payload of %q: %w", id, core.ErrNotFound)
	}
	return bytes.Clone(r.payload), nil
}

// Changes implements status.Feed.
func (m *Memory) Changes(ctx context.Context, user string, since core.Seq, limit int) ([]core.EncodedChange, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.feed(user)
	if !since.IsZero() && since.Compare(f.trimmed) < 0 {
		return nil, fmt.Errorf("memory: changes of %q after %s: %w", user, since, core.ErrGone)
	}
	var found []core.EncodedChange
	for _, c := range f.changes {
		if c.Seq.Compare(since) > 0 && len(found) < limit {
			encoded, err := core.EncodeChange(c)
			if err != nil {
				return nil, err
			}
			found = append(found, encoded)
		}
	}
	return found, nil
}

// Bounds implements status.Feed.
func (m *Memory) Bounds(ctx context.Context, user string) (oldest, newest core.Seq, err error) {
	if err := ctx.Err(); err != nil {
		return core.Seq{}, core.Seq{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.feed(user)
	if len(f.changes) > 0 {
		oldest = f.changes[0].Seq
	}
	return oldest, f.last, nil
}

// Watch implements status.Feed and deploy.Watcher.
func (m *Memory) Watch(user string) (<-chan struct{}, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan struct{}, 1)
	m.feed(user).watchers[c] = struct{}{}
	return c, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.feed(user).watchers, c)
	}
}
