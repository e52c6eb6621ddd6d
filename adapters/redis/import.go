package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/adapters/transfer"
	"github.com/nodejitsu/webhooks/core"
)

// Import writes an entry of another store. added is false where it is here
// already, at that revision. Its changes are written by [Store.ImportChanges].
func (s *Store) Import(ctx context.Context, k transfer.Kept) (added bool, err error) {
	e := k.Change.Entry
	doc, err := s.packer.encode(e)
	if err != nil {
		return false, wrap("import", e.ID, err)
	}
	payload, err := s.packer.pack(k.Payload)
	if err != nil {
		return false, wrap("import", e.ID, err)
	}
	args := []any{
		e.ID, e.User, doc, e.Revision, e.Attempts, k.Change.Seq.String(), flag(!e.Status.Outcome()), e.App, e.Repository.Key(),
		payload, s.left(e.CreatedAt, s.o.KeepPayloads), k.Key, s.left(k.KeyMade, s.o.KeepKeys),
		k.Lane, flag(k.Queued), micros(k.At),
	}
	for _, commit := range append([]string{e.Commit.ID}, e.Commits...) {
		if commit != "" {
			args = append(args, commit)
		}
	}
	r, err := s.call(ctx, "import", args...)
	if err != nil {
		return false, wrap("import", e.ID, err)
	}
	n, _ := r.value.(int64)
	return n == 1, nil
}

// left returns how much of its life, in ms, is left of what was made then.
func (s *Store) left(made time.Time, life time.Duration) int64 {
	now := time.Now
	if s.o.Now != nil {
		now = s.o.Now
	}
	return max(life-now().Sub(made), 0).Milliseconds()
}

// ImportLane writes what another store keeps of a lane.
func (s *Store) ImportLane(ctx context.Context, l transfer.Lane) error {
	fields := []any{"id", l.Newest}
	if pushed := micros(l.PushedAt); pushed > 0 {
		fields = append(fields, "pushed", pushed)
	}
	key := s.base() + "l:" + l.Name
	pipe := s.client.Pipeline()
	pipe.HSet(ctx, key, fields...)
	pipe.PExpire(ctx, key, s.o.KeepEntries)
	_, err := pipe.Exec(ctx)
	return wrap("import lane", l.Name, err)
}

// ImportJoined writes the newest entry of an app, user/app.
func (s *Store) ImportJoined(ctx context.Context, app, newest string) error {
	return wrap("import app", app, s.client.Set(ctx, s.base()+"a:"+app, newest, s.o.KeepEntries).Err())
}

// ImportChanges writes changes of a user's log, in their order, and that those
// up to trimmed are not kept. Those that are here already are passed over;
// added is how many were not.
func (s *Store) ImportChanges(ctx context.Context, user string, trimmed core.Seq, changes []core.Change) (added int, err error) {
	before := ""
	if !trimmed.IsZero() {
		before = trimmed.String()
	}
	args := []any{user, before}
	for _, c := range changes {
		doc, err := s.packer.encode(c.Entry)
		if err != nil {
			return 0, wrap("import changes", user, err)
		}
		args = append(args, c.Seq.String(), strconv.FormatUint(c.Seq.Millis, 10), strconv.FormatUint(c.Seq.N, 10),
			doc, c.Entry.Revision, c.Entry.Attempts)
	}
	r, err := s.call(ctx, "importlog", args...)
	if err != nil {
		return 0, wrap("import changes", user, err)
	}
	n, _ := r.value.(int64)
	return int(n), nil
}
