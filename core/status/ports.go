package status

import (
	"context"

	"github.com/nodejitsu/webhooks/core"
)

// Log reads the entries. Implementations may be called concurrently.
type Log interface {
	// Entry returns the newest revision of one of the user's entries, or
	// core.ErrNotFound.
	Entry(ctx context.Context, user, id string) (core.Change, error)
	// Entries returns the user's entries, newest first, only those of app
	// unless that is "", after skipping skip, at most limit; and how many there
	// are in total.
	Entries(ctx context.Context, user, app string, skip, limit int) (page []core.Entry, total int, err error)
	// Payload returns the payload of an entry as it was received, or
	// core.ErrNotFound if it is no longer kept.
	Payload(ctx context.Context, id string) ([]byte, error)
}

// Feed reads the users' change logs. Implementations may be called concurrently.
type Feed interface {
	// Changes returns the user's changes after since, oldest first, at most
	// limit. It fails with core.ErrGone if since is not zero and some changes
	// after it are no longer kept.
	Changes(ctx context.Context, user string, since core.Seq, limit int) ([]core.EncodedChange, error)
	// Bounds returns the Seq of the oldest change that is kept, zero if none is, and
	// that of the newest change, kept or not, zero if there was none.
	Bounds(ctx context.Context, user string) (oldest, newest core.Seq, err error)
	// Watch returns a channel that receives after each change of the user, from
	// whichever process, and at most once until it is read. stop ends it.
	Watch(user string) (wake <-chan struct{}, stop func())
}
