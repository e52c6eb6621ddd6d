package coretest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/nodejitsu/webhooks/core/deploy"
)

// Outbox implements Store.
func (m *Memory) Outbox() deploy.Outbox { return (*memoryOutbox)(m) }

type memoryOutbox Memory

// Add implements deploy.Outbox.
func (o *memoryOutbox) Add(ctx context.Context, id string, lease time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.outbox[id] = o.now().Add(lease)
	return nil
}

// Done implements deploy.Outbox.
func (o *memoryOutbox) Done(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.outbox, id)
	return nil
}

// Claim implements deploy.Outbox.
func (o *memoryOutbox) Claim(ctx context.Context, working []string, lease time.Duration) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	end := now.Add(lease)
	for _, id := range working {
		if _, noted := o.outbox[id]; noted {
			o.outbox[id] = end
		}
	}
	const most = 100
	var claimed []string
	for _, id := range slices.Sorted(maps.Keys(o.outbox)) {
		switch {
		case o.outbox[id].After(end): // the clock was set back
			o.outbox[id] = end
		case !o.outbox[id].After(now) && len(claimed) < most:
			o.outbox[id] = end
			claimed = append(claimed, id)
		}
	}
	return claimed, nil
}
