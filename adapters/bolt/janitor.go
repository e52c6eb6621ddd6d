package bolt

import (
	"context"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// janitor drops what has been kept long enough, once an hour.
func (s *Store) janitor(ctx context.Context) {
	for {
		if err := s.Clean(ctx); err != nil && ctx.Err() == nil {
			s.o.Logger.Warn("cleaning the store failed", "error", err)
		}
		timer := time.NewTimer(time.Hour)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// pass is how much one transaction of the janitor removes at most, so that
// nobody waits long for it.
const pass = 100

// Clean drops what Options says is not kept any more: outcomes and their
// payloads, keys and changes. Live entries stay.
func (s *Store) Clean(ctx context.Context) error {
	for _, clean := range []func(table, time.Time) (removed int, err error){
		s.cleanEntries, s.cleanPayloads, s.cleanKeys, s.cleanChanges,
	} {
		for {
			var removed int
			err := s.update(ctx, func(t table) (err error) {
				removed, err = clean(t, s.o.Now())
				return err
			})
			if err != nil {
				return wrap("clean", "", err)
			}
			if removed < pass {
				break
			}
		}
	}
	return nil
}

// cleanEntries removes outcomes that are too old, or too many for their user.
func (s *Store) cleanEntries(t table, now time.Time) (int, error) {
	var old []core.Entry
	kept := map[string]int{}
	cursor := t.bucket("users").Cursor()
	for key, value := cursor.Last(); key != nil && len(old) < pass; key, value = cursor.Prev() {
		user, _, _ := strings.Cut(string(key), "\x00")
		id := string(value)
		kept[user]++
		if kept[user] <= s.o.MaxEntries && !idBefore(id, now.Add(-s.o.KeepEntries)) {
			continue
		}
		change, err := t.change(id)
		if err != nil {
			return 0, err
		}
		if e := change.Entry; e.Status.Outcome() && (kept[user] > s.o.MaxEntries || e.CreatedAt.Before(now.Add(-s.o.KeepEntries))) {
			old = append(old, e)
		}
	}
	for _, e := range old {
		if err := t.forget(e); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

// idBefore guesses from an id, a version 7 UUID, whether it may be older than
// when; what it says no to is not.
func idBefore(id string, when time.Time) bool {
	var millis int64
	if len(id) < 12 {
		return true
	}
	for _, c := range id[:12] {
		digit := strings.IndexRune("0123456789abcdef", c)
		if digit < 0 {
			return true
		}
		millis = millis<<4 | int64(digit)
	}
	return millis <= when.UnixMilli()
}

func (s *Store) cleanPayloads(t table, now time.Time) (int, error) {
	return remove(t.bucket("payloads"), func(key, _ []byte) (bool, error) {
		if !idBefore(string(key), now.Add(-s.o.KeepPayloads)) {
			return false, nil
		}
		change, err := t.change(string(key))
		return change.Entry.Status.Outcome() && change.Entry.CreatedAt.Before(now.Add(-s.o.KeepPayloads)), err
	})
}

func (s *Store) cleanKeys(t table, now time.Time) (int, error) {
	return remove(t.bucket("keys"), func(_, value []byte) (bool, error) {
		if len(value) < 8 || keyTime(value).Before(now.Add(-s.o.KeepKeys)) {
			return true, nil
		}
		// A key whose entry is gone would find nothing.
		return t.bucket("entries").Get(value[8:]) == nil, nil
	})
}

// remove deletes up to pass keys of b that old names.
func remove(b *bbolt.Bucket, old func(key, value []byte) (bool, error)) (int, error) {
	var keys [][]byte
	cursor := b.Cursor()
	for key, value := cursor.First(); key != nil && len(keys) < pass; key, value = cursor.Next() {
		is, err := old(key, value)
		if err != nil {
			return 0, err
		}
		if is {
			keys = append(keys, append([]byte{}, key...))
		}
	}
	for _, key := range keys {
		if err := b.Delete(key); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

func (s *Store) cleanChanges(t table, now time.Time) (int, error) {
	before := core.Seq{Millis: uint64(max(now.Add(-s.o.KeepChanges).UnixMilli(), 0))} //nolint:gosec // not negative
	feeds := map[string]feed{}
	err := t.bucket("feeds").ForEach(func(user, _ []byte) error {
		var f feed
		_, err := load(t.bucket("feeds"), user, &f)
		feeds[string(user)] = f
		return err
	})
	if err != nil {
		return 0, err
	}
	removed := 0
	for user, f := range feeds {
		log := t.bucket("changes").Bucket([]byte(user))
		if log == nil {
			continue
		}
		count := f.Count
		err := trim(log, &f, func(oldest core.Seq) bool {
			return oldest.Compare(before) < 0 && removed+count-f.Count < pass
		})
		if err != nil {
			return 0, err
		}
		removed += count - f.Count
		if err := store(t.bucket("feeds"), []byte(user), f); err != nil {
			return 0, err
		}
	}
	return removed, nil
}
