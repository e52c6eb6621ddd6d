package bolt

import (
	"bytes"
	"context"

	"github.com/nodejitsu/webhooks/core"
)

// Changes implements status.Feed.
func (s *Store) Changes(ctx context.Context, user string, since core.Seq, limit int) (found []core.EncodedChange, err error) {
	prefix := join(user, "")
	err = s.view(ctx, func(t table) error {
		if !since.IsZero() && since.Compare(t.user(user).trimmed) < 0 {
			return core.ErrGone
		}
		after := appendSeq(bytes.Clone(prefix), core.Seq{Millis: since.Millis, N: since.N + 1})
		cursor := t.bucket(bucketChanges).Cursor()
		for key, value := cursor.Seek(after); bytes.HasPrefix(key, prefix) && len(found) < limit; key, value = cursor.Next() {
			r, err := parseRecord(value)
			if err != nil {
				return err
			}
			found = append(found, r.change())
		}
		return nil
	})
	return found, wrap("changes of", user, err)
}

// Bounds implements status.Feed.
func (s *Store) Bounds(ctx context.Context, user string) (oldest, newest core.Seq, err error) {
	prefix := join(user, "")
	err = s.view(ctx, func(t table) error {
		u := t.user(user)
		if u.changes == 0 {
			return nil
		}
		key, _ := t.bucket(bucketChanges).Cursor().Seek(prefix)
		if !bytes.HasPrefix(key, prefix) || len(key) != len(prefix)+16 {
			return errDamaged
		}
		oldest, newest = parseSeq(key[len(prefix):]), u.last
		return nil
	})
	return oldest, newest, wrap("bounds of", user, err)
}
