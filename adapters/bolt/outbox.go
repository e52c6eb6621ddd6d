package bolt

import (
	"context"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core/deploy"
)

// maxClaimed is the maximum number of ids that Claim returns.
const maxClaimed = 100

// outbox is the deploy.Outbox of a Store. The leases are in memory: only one process
// has the store open, so there are none when it is opened.
type outbox struct {
	s *Store

	mu     sync.Mutex
	leases map[string]time.Time // when they end, by id
}

// Outbox returns the outbox, which is stored in the file.
func (s *Store) Outbox() deploy.Outbox { return s.outbox }

// Add implements deploy.Outbox.
func (o *outbox) Add(ctx context.Context, id string, lease time.Duration) error {
	o.mu.Lock()
	o.leases[id] = o.s.steady().Add(lease)
	o.mu.Unlock()
	err := o.s.update(ctx, func(t table) error { return t.put(bucketOutbox, []byte(id), nil) })
	return wrap("add to outbox", id, err)
}

// Done implements deploy.Outbox.
func (o *outbox) Done(ctx context.Context, id string) error {
	err := o.s.update(ctx, func(t table) error { return t.delete(bucketOutbox, []byte(id)) })
	if err == nil {
		o.mu.Lock()
		delete(o.leases, id)
		o.mu.Unlock()
	}
	return wrap("remove from outbox", id, err)
}

// Claim implements deploy.Outbox.
func (o *outbox) Claim(ctx context.Context, working []string, lease time.Duration) (claimed []string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.s.steady()
	end := now.Add(lease)
	for _, id := range working {
		if _, noted := o.leases[id]; noted {
			o.leases[id] = end
		}
	}
	err = o.s.view(ctx, func(t table) error {
		cursor := t.bucket(bucketOutbox).Cursor()
		for id, _ := cursor.First(); id != nil && len(claimed) < maxClaimed; id, _ = cursor.Next() {
			switch leased := o.leases[string(id)]; {
			case leased.After(end): // the clock was set back
				o.leases[string(id)] = end
			case !leased.After(now):
				claimed = append(claimed, string(id))
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap("claim", "outbox", err)
	}
	for _, id := range claimed {
		o.leases[id] = end
	}
	return claimed, nil
}
