package bolt

import (
	"context"
	"encoding/json"

	"github.com/nodejitsu/webhooks/core"
)

// Changes implements status.Feed.
func (s *Store) Changes(ctx context.Context, user string, since core.Seq, limit int) (found []core.EncodedChange, err error) {
	err = s.view(ctx, func(t table) error {
		var f feed
		if _, err := load(t.bucket("feeds"), userKey(user), &f); err != nil {
			return err
		}
		trimmed, err := parseSeq(f.Trimmed)
		if err != nil {
			return err
		}
		if !since.IsZero() && since.Compare(trimmed) < 0 {
			return core.ErrGone
		}
		log := t.bucket("changes").Bucket(userKey(user))
		if log == nil {
			return nil
		}
		cursor := log.Cursor()
		after := core.Seq{Millis: since.Millis, N: since.N + 1}
		for key, value := cursor.Seek(seqKey(after)); key != nil && len(found) < limit; key, value = cursor.Next() {
			change := core.Change{Seq: parseSeqKey(key)}
			if err := json.Unmarshal(value, &change.Entry); err != nil {
				return err
			}
			encoded, err := core.EncodeChange(change)
			if err != nil {
				return err
			}
			found = append(found, encoded)
		}
		return nil
	})
	return found, wrap("changes of", user, err)
}

// Bounds implements status.Feed.
func (s *Store) Bounds(ctx context.Context, user string) (oldest, newest core.Seq, err error) {
	err = s.view(ctx, func(t table) error {
		log := t.bucket("changes").Bucket(userKey(user))
		if log == nil {
			return nil
		}
		if key, _ := log.Cursor().First(); key != nil {
			oldest = parseSeqKey(key)
		}
		if key, _ := log.Cursor().Last(); key != nil {
			newest = parseSeqKey(key)
		}
		return nil
	})
	return oldest, newest, wrap("bounds of", user, err)
}
