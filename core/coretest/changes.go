package coretest

import (
	"context"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
)

// Changes returns what feed.Changes does, decoded.
func Changes(ctx context.Context, feed status.Feed, user string, since core.Seq, limit int) ([]core.Change, error) {
	encoded, err := feed.Changes(ctx, user, since, limit)
	if err != nil {
		return nil, err
	}
	changes := make([]core.Change, len(encoded))
	for i, c := range encoded {
		if changes[i], err = c.Decode(); err != nil {
			return nil, err
		}
	}
	return changes, nil
}
