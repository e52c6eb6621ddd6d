package bolt

import (
	"context"
)

// Owe implements deploy.Outbox.
func (s *Store) Owe(ctx context.Context, id string) error {
	err := s.update(ctx, func(t table) error { return t.bucket("outbox").Put([]byte(id), nil) })
	return wrap("owe", id, err)
}

// Told implements deploy.Outbox.
func (s *Store) Told(ctx context.Context, id string) error {
	err := s.update(ctx, func(t table) error { return t.bucket("outbox").Delete([]byte(id)) })
	return wrap("told", id, err)
}

// Owed implements deploy.Outbox.
func (s *Store) Owed(ctx context.Context) (owed []string, err error) {
	err = s.view(ctx, func(t table) error {
		return t.bucket("outbox").ForEach(func(id, _ []byte) error {
			owed = append(owed, string(id))
			return nil
		})
	})
	return owed, wrap("read", "outbox", err)
}
