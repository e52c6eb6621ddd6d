package bolt

import (
	"context"
	"sync"
	"time"
)

// mostOwed is how many outcomes Owed returns at most.
const mostOwed = 100

// tellers knows until when an outcome is somebody's to tell. It is kept in
// memory: one process has the store, so what is owed when it opens it is told by
// nobody.
type tellers struct {
	mu     sync.Mutex
	leases map[string]time.Time // when they end, by id
}

// Owe implements deploy.Outbox.
func (s *Store) Owe(ctx context.Context, id string, lease time.Duration) error {
	s.tellers.mu.Lock()
	s.tellers.leases[id] = s.steady().Add(lease)
	s.tellers.mu.Unlock()
	err := s.update(ctx, func(t table) error { return t.bucket("outbox").Put([]byte(id), nil) })
	return wrap("owe", id, err)
}

// Told implements deploy.Outbox.
func (s *Store) Told(ctx context.Context, id string) error {
	err := s.update(ctx, func(t table) error { return t.bucket("outbox").Delete([]byte(id)) })
	if err == nil {
		s.tellers.mu.Lock()
		delete(s.tellers.leases, id)
		s.tellers.mu.Unlock()
	}
	return wrap("told", id, err)
}

// Owed implements deploy.Outbox.
func (s *Store) Owed(ctx context.Context, telling []string, lease time.Duration) (due []string, err error) {
	s.tellers.mu.Lock()
	defer s.tellers.mu.Unlock()
	now := s.steady()
	for _, id := range telling {
		if _, owed := s.tellers.leases[id]; owed {
			s.tellers.leases[id] = now.Add(lease)
		}
	}
	err = s.view(ctx, func(t table) error {
		cursor := t.bucket("outbox").Cursor()
		for id, _ := cursor.First(); id != nil && len(due) < mostOwed; id, _ = cursor.Next() {
			if !s.tellers.leases[string(id)].After(now) {
				due = append(due, string(id))
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap("read", "outbox", err)
	}
	for _, id := range due {
		s.tellers.leases[id] = now.Add(lease)
	}
	return due, nil
}
