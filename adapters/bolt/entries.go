package bolt

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Accept implements deploy.Store.
func (s *Store) Accept(ctx context.Context, a deploy.Acceptance) (c core.Change, repeat bool, err error) {
	e := a.Entry
	encoded, err := core.EncodeEntry(e)
	if err != nil {
		return core.Change{}, false, wrap("accept", e.ID, err)
	}
	r := record{
		revision: e.Revision + 1, attempts: int64(e.Attempts), updated: nanos(e.UpdatedAt), created: nanos(e.CreatedAt),
		id: e.ID, user: e.User, app: e.App, key: a.Key, entry: encoded,
	}
	if !e.Status.Outcome() {
		r.state = live
	}
	var commits [][]byte
	if a.Place != nil {
		commits = commitPrefixes(e)
	}
	var order int64
	var seq core.Seq
	var first core.EncodedChange // if it is a repeat
	err = s.admit(ctx, len(encoded)+len(a.Payload), func(t table) error {
		now := s.o.Now()
		if found, ok := t.keyed(e.User, a.Key, nanos(now.Add(-s.o.KeepKeys))); ok {
			repeat, first = true, found.change()
			return nil
		}
		if t.get(bucketIDs, []byte(e.ID)) != nil {
			return core.ErrConflict
		}
		repeat = false
		accepted := r // this function may be called again
		accepted.order = t.lastOrder() + 1
		if err := t.accept(&accepted, commits, a.Payload, nanos(now)); err != nil {
			return err
		}
		if a.Place != nil {
			if err := t.enqueue(&accepted, s.bySteady(*a.Place), nanos(now), nanos(s.steady())); err != nil {
				return err
			}
		}
		u := t.user(e.User)
		u.entries++
		err := t.save(&accepted, u, nanos(now), s.o.MaxChanges)
		order, seq = accepted.order, accepted.seq
		return err
	})
	if err != nil {
		return core.Change{}, false, wrap("accept", e.ID, err)
	}
	if repeat {
		c, err = first.Decode()
		return c, true, wrap("accept", e.ID, err)
	}
	s.watchers.Wake(e.User)
	s.signal()
	e = e.Clone()
	e.Order, e.Revision = order, r.revision
	return core.Change{Seq: seq, Entry: e}, false, nil
}

// lastOrder returns the Order of the entry that was accepted last, or one that is
// higher.
func (t table) lastOrder() int64 { return max(number(t.get(bucketMeta, []byte(metaLast))), t.floor) }

// accept writes the payload of a new entry and the keys that lead to the entry.
func (t table) accept(r *record, commits [][]byte, payload []byte, now int64) error {
	order := orderKey(r.order)
	if err := t.put(bucketMeta, []byte(metaLast), appendNumber(orderKey(r.order), now)); err != nil {
		return err
	}
	if err := t.appendTo(bucketIDs, []byte(r.id), order); err != nil {
		return err
	}
	if err := t.appendTo(bucketPayloads, order, payload); err != nil {
		return err
	}
	if r.key != "" {
		if err := t.put(bucketKeys, hashOf(r.user, r.key), appendNumber(orderKey(r.order), now)); err != nil {
			return err
		}
	}
	for _, prefix := range commits {
		if err := t.put(bucketCommits, appendNumber(prefix, r.order), nil); err != nil {
			return err
		}
	}
	if err := t.putIndex(r.user, "", r.order); err != nil || r.app == "" {
		return err
	}
	return t.putIndex(r.user, r.app, r.order)
}

// commitPrefixes begin the keys that an entry is found by with its commits.
func commitPrefixes(e core.Entry) [][]byte {
	repository := hashOf(e.Repository.Key())
	prefixes := make([][]byte, 0, 1+len(e.Commits))
	for _, commit := range append([]string{e.Commit.ID}, e.Commits...) {
		if commit != "" {
			prefixes = append(prefixes, commitPrefix(repository, commit))
		}
	}
	return prefixes
}

// commitPrefix begins the keys of a commit of a repository, whose hash is given.
func commitPrefix(repository []byte, commit string) []byte {
	id, err := hex.DecodeString(commit)
	if err != nil {
		id = hashOf(commit)
	}
	const longest = 32 // bytes of an id
	prefix := make([]byte, 0, len(repository)+longest+1+orderSize)
	return append(append(append(prefix, repository...), id...), 0)
}

// keyed returns the user's entry with that key, unless it was made before since.
func (t table) keyed(user, key string, since int64) (record, bool) {
	if key == "" {
		return record{}, false
	}
	value := t.get(bucketKeys, hashOf(user, key))
	if len(value) != 16 || number(value[8:]) < since {
		return record{}, false
	}
	r, err := t.record(number(value))
	return r, err == nil // the entry of the key may be removed
}

// Update implements deploy.Store.
func (s *Store) Update(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	return s.save(ctx, "update", e, claim, nil)
}

// Requeue implements deploy.Store.
func (s *Store) Requeue(ctx context.Context, e core.Entry, claim int, to deploy.Place) (core.Change, error) {
	return s.save(ctx, "requeue", e, claim, func(t table, r *record) error {
		if err := t.release(r); err != nil {
			return err
		}
		return t.enqueue(r, s.bySteady(to), nanos(s.o.Now()), nanos(s.steady()))
	})
}

// Hold implements deploy.Store.
func (s *Store) Hold(ctx context.Context, e core.Entry, claim int, until time.Time) (core.Change, error) {
	return s.Requeue(ctx, e, claim, deploy.Place{At: until})
}

// Finish implements deploy.Store.
func (s *Store) Finish(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	return s.save(ctx, "finish", e, claim, table.release)
}

// save writes e as its entry's next revision. move, if it is not nil, changes the
// entry's place in the queue.
func (s *Store) save(ctx context.Context, doing string, e core.Entry, claim int, move func(table, *record) error) (core.Change, error) {
	encoded, err := core.EncodeEntry(e)
	if err != nil {
		return core.Change{}, wrap(doing, e.ID, err)
	}
	var seq core.Seq
	err = s.update(ctx, func(t table) error {
		r, err := t.find(e.ID)
		if err != nil {
			return err
		}
		if r.revision != e.Revision {
			return fmt.Errorf("revision %d is not %d: %w", e.Revision, r.revision, core.ErrConflict)
		}
		if claim != 0 {
			if _, err := t.claimed(r, claim, nanos(s.steady())); err != nil {
				return err
			}
		}
		if err := t.changeApp(&r, e.App); err != nil {
			return err
		}
		r.revision, r.attempts, r.updated, r.entry = e.Revision+1, int64(e.Attempts), nanos(e.UpdatedAt), encoded
		if r.state &^= live; !e.Status.Outcome() {
			r.state |= live
		}
		if move != nil {
			if err := move(t, &r); err != nil {
				return err
			}
		}
		err = t.save(&r, t.user(r.user), nanos(s.o.Now()), s.o.MaxChanges)
		seq = r.seq
		return err
	})
	if err != nil {
		return core.Change{}, wrap(doing, e.ID, err)
	}
	s.watchers.Wake(e.User)
	if move != nil {
		s.signal()
	}
	e = e.Clone()
	e.Revision++
	return core.Change{Seq: seq, Entry: e}, nil
}

// changeApp moves an entry to another app in the index.
func (t table) changeApp(r *record, app string) error {
	if r.app == app {
		return nil
	}
	if r.app != "" {
		if err := t.deleteIndex(r.user, r.app, r.order); err != nil {
			return err
		}
	}
	if r.app = app; app == "" {
		return nil
	}
	return t.putIndex(r.user, app, r.order)
}

// Find implements deploy.Store.
func (s *Store) Find(ctx context.Context, id string) (core.Change, error) {
	return s.find(ctx, id, func(record) bool { return true })
}

// Entry implements status.Log.
func (s *Store) Entry(ctx context.Context, user, id string) (core.Change, error) {
	return s.find(ctx, id, func(r record) bool { return r.user == user })
}

func (s *Store) find(ctx context.Context, id string, wanted func(record) bool) (c core.Change, err error) {
	var found core.EncodedChange
	err = s.view(ctx, func(t table) error {
		r, err := t.find(id)
		if err == nil && !wanted(r) {
			err = core.ErrNotFound
		}
		found = r.change()
		return err
	})
	if err == nil {
		c, err = found.Decode()
	}
	return c, wrap("find", id, err)
}

// Payload implements deploy.Store and status.Log.
func (s *Store) Payload(ctx context.Context, id string) (payload []byte, err error) {
	err = s.view(ctx, func(t table) error {
		order := t.get(bucketIDs, []byte(id))
		stored := t.get(bucketPayloads, order)
		if stored == nil {
			return core.ErrNotFound
		}
		payload = append([]byte{}, stored...)
		return nil
	})
	return payload, wrap("payload", id, err)
}

// ByCommit implements deploy.Store.
func (s *Store) ByCommit(ctx context.Context, user, repository string, commits []string) ([]core.Change, error) {
	const most = 100 // of each user
	var found []core.EncodedChange
	err := s.view(ctx, func(t table) error {
		orders := map[int64]bool{}
		of := hashOf(repository)
		for _, commit := range commits {
			prefix := commitPrefix(of, commit)
			backward(t.bucket(bucketCommits).Cursor(), prefix, nil, func(key, _ []byte) bool {
				orders[number(key[len(prefix):])] = true
				return true
			})
		}
		ofUser := map[string]int{}
		for _, order := range slices.SortedFunc(maps.Keys(orders), func(a, b int64) int { return cmp.Compare(b, a) }) {
			r, err := t.record(order)
			if err != nil {
				return err
			}
			if user != "" && r.user != "" && r.user != user {
				continue
			}
			if ofUser[r.user]++; ofUser[r.user] <= most {
				found = append(found, r.change())
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap("entries of", repository, err)
	}
	changes, err := decode(found)
	return changes, wrap("entries of", repository, err)
}

// changes appends the changes of entries to found.
func (t table) changes(orders []int64, found *[]core.EncodedChange) error {
	for _, order := range orders {
		r, err := t.record(order)
		if err != nil {
			return err
		}
		*found = append(*found, r.change())
	}
	return nil
}

func decode(found []core.EncodedChange) (changes []core.Change, err error) {
	for _, c := range found {
		change, err := c.Decode()
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// Entries implements status.Log.
func (s *Store) Entries(ctx context.Context, user, app string, skip, limit int) (page []core.Entry, total int, err error) {
	var found []core.EncodedChange
	err = s.view(ctx, func(t table) error {
		var orders []int64
		orders, total = t.page(user, app, skip, limit)
		return t.changes(orders, &found)
	})
	if err != nil {
		return nil, 0, wrap("entries of", user, err)
	}
	changes, err := decode(found)
	for _, c := range changes {
		page = append(page, c.Entry)
	}
	return page, total, wrap("entries of", user, err)
}
