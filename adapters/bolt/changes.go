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
		after := changeKey(user, core.Seq{Millis: since.Millis, N: since.N + 1})
		cursor := t.bucket(bucketChanges).Cursor()
		for key, value := cursor.Seek(after); bytes.HasPrefix(key, prefix) && len(found) < limit; key, value = cursor.Next() {
			r, err := t.changed(value)
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
		if newest = u.last; u.changes == 0 {
			return nil
		}
		key, _ := t.bucket(bucketChanges).Cursor().Seek(prefix)
		if !bytes.HasPrefix(key, prefix) || len(key) != len(prefix)+16 {
			return errDamaged
		}
		oldest = parseSeq(key[len(prefix):])
		return nil
	})
	return oldest, newest, wrap("bounds of", user, err)
}

// A change has no copy of the record as long as it is the last one of its entry: most
// entries of a busy server are accepted and never change again, and a second copy
// would be a quarter of what is written for them.

// changed returns the record of a change.
func (t table) changed(value []byte) (record, error) {
	if len(value) == orderSize {
		return t.record(number(value))
	}
	return parseRecord(value)
}

// keepChange gives the last change of an entry a copy of the record, unless the change
// is no longer kept. It must be called before the record changes or is removed.
func (t table) keepChange(r record, u user) error {
	if r.seq.Compare(u.trimmed) <= 0 {
		return nil
	}
	return t.put(bucketChanges, changeKey(r.user, r.seq), t.get(bucketEntries, orderKey(r.order)))
}

func changeKey(user string, seq core.Seq) []byte { return appendSeq(join(user, ""), seq) }
