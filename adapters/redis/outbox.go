package redis

import (
	"context"
	"time"
)

// mostOwed is how many outcomes Owed returns at most.
const mostOwed = 100

// Owe implements deploy.Outbox.
func (s *Store) Owe(ctx context.Context, id string, lease time.Duration) error {
	_, err := s.call(ctx, "owe", id, lease.Microseconds())
	return wrap("owe", id, err)
}

// Told implements deploy.Outbox.
func (s *Store) Told(ctx context.Context, id string) error {
	_, err := s.call(ctx, "told", id)
	return wrap("told", id, err)
}

// Owed implements deploy.Outbox.
func (s *Store) Owed(ctx context.Context, telling []string, lease time.Duration) ([]string, error) {
	args := []any{lease.Microseconds(), mostOwed}
	for _, id := range telling {
		args = append(args, id)
	}
	r, err := s.call(ctx, "owed", args...)
	if err != nil {
		return nil, wrap("read", "outbox", err)
	}
	due := make([]string, len(r.list().values))
	for i := range due {
		due[i] = r.list().at(i).text()
	}
	return due, wrap("read", "outbox", r.err)
}
