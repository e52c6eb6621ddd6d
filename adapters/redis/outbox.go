package redis

import (
	"context"
	"time"

	"github.com/nodejitsu/webhooks/core/deploy"
)

// maxClaimed is the maximum number of ids that Claim returns.
const maxClaimed = 100

// Outbox returns the outbox that all processes share.
func (s *Store) Outbox() deploy.Outbox { return outbox{s} }

type outbox struct{ s *Store }

// Add implements deploy.Outbox.
func (o outbox) Add(ctx context.Context, id string, lease time.Duration) error {
	_, err := o.s.call(ctx, "outboxadd", id, lease.Microseconds())
	return wrap("add to outbox", id, err)
}

// Done implements deploy.Outbox.
func (o outbox) Done(ctx context.Context, id string) error {
	_, err := o.s.call(ctx, "outboxdone", id)
	return wrap("remove from outbox", id, err)
}

// Claim implements deploy.Outbox.
func (o outbox) Claim(ctx context.Context, working []string, lease time.Duration) ([]string, error) {
	args := []any{lease.Microseconds(), maxClaimed}
	for _, id := range working {
		args = append(args, id)
	}
	r, err := o.s.call(ctx, "outboxclaim", args...)
	if err != nil {
		return nil, wrap("claim", "outbox", err)
	}
	claimed := make([]string, len(r.list().values))
	for i := range claimed {
		claimed[i] = r.list().at(i).text()
	}
	return claimed, wrap("claim", "outbox", r.err)
}
