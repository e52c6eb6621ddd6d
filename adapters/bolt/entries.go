package bolt

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Accept implements deploy.Store.
func (s *Store) Accept(ctx context.Context, a deploy.Acceptance) (change core.Change, repeat bool, err error) {
	e := a.Entry
	err = s.update(ctx, func(t table) error {
		now := s.o.Now()
		if id := t.keyed(e.User, a.Key, now.Add(-s.o.KeepKeys)); id != "" {
			change, err = t.change(id)
			repeat = true
			return err
		}
		if t.bucket("entries").Get([]byte(e.ID)) != nil {
			return core.ErrConflict
		}
		if e.Order, err = t.nextOrder(now); err != nil {
			return err
		}
		change, err = t.write(e, nil, now, s.o.MaxChanges)
		if err != nil {
			return err
		}
		if err := t.bucket("payloads").Put([]byte(e.ID), a.Payload); err != nil {
			return err
		}
		if a.Key != "" {
			made := binary.BigEndian.AppendUint64(nil, uint64(max(now.Unix(), 0))) //nolint:gosec // not negative
			if err := t.bucket("keys").Put(join(e.User, a.Key), append(made, e.ID...)); err != nil {
				return err
			}
		}
		if a.Place == nil {
			return nil
		}
		return t.enqueue(e.ID, place{Order: e.Order}, s.bySteady(*a.Place), now, s.steady())
	})
	if err != nil {
		return core.Change{}, false, wrap("accept", e.ID, err)
	}
	if !repeat {
		s.watchers.Wake(e.User)
		s.signal()
	}
	return change, repeat, nil
}

// nextOrder returns the Order of an entry that is accepted at now.
func (t table) nextOrder(now time.Time) (int64, error) {
	order := t.number("order") + 1
	if err := t.setNumber("order", order); err != nil {
		return 0, err
	}
	return order, t.setNumber("accepted", now.UnixMilli())
}

// keyed returns the id of the user's entry with that key, "" where there is
// none, or none any more, or it was made before since.
func (t table) keyed(user, key string, since time.Time) string {
	if key == "" {
		return ""
	}
	value := t.bucket("keys").Get(join(user, key))
	if len(value) < 8 || keyTime(value).Before(since) || t.bucket("entries").Get(value[8:]) == nil {
		return ""
	}
	return string(value[8:])
}

func keyTime(value []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(value)), 0) //nolint:gosec // written from an int64
}

// Update implements deploy.Store.
func (s *Store) Update(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	return s.save(ctx, "update", e, claim, nil)
}

// Requeue implements deploy.Store.
func (s *Store) Requeue(ctx context.Context, e core.Entry, claim int, to deploy.Place) (core.Change, error) {
	return s.save(ctx, "requeue", e, claim, func(t table, p place) error {
		return t.enqueue(e.ID, p, s.bySteady(to), s.o.Now(), s.steady())
	})
}

// Hold implements deploy.Store.
func (s *Store) Hold(ctx context.Context, e core.Entry, claim int, until time.Time) (core.Change, error) {
	return s.Requeue(ctx, e, claim, deploy.Place{At: until})
}

// Finish implements deploy.Store.
func (s *Store) Finish(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	return s.save(ctx, "finish", e, claim, func(t table, p place) error {
		p.Queued, p.LeaseEnd, p.App = false, time.Time{}, ""
		return t.putPlace(e.ID, p)
	})
}

// save writes e as its entry's next revision and then calls move, if it is not
// nil, which changes the entry's place in the queue.
func (s *Store) save(ctx context.Context, doing string, e core.Entry, claim int, move func(table, place) error) (change core.Change, err error) {
	err = s.update(ctx, func(t table) error {
		before, err := t.change(e.ID)
		if err != nil {
			return err
		}
		if before.Entry.Revision != e.Revision {
			return fmt.Errorf("revision %d is not %d: %w", e.Revision, before.Entry.Revision, core.ErrConflict)
		}
		if claim != 0 {
			if _, err := t.held(e.ID, claim, s.steady()); err != nil {
				return err
			}
		}
		change, err = t.write(e, &before.Entry, s.o.Now(), s.o.MaxChanges)
		if err != nil || move == nil {
			return err
		}
		p, err := t.place(e.ID)
		if err != nil {
			return err
		}
		p.Order = e.Order
		return move(t, p)
	})
	if err != nil {
		return core.Change{}, wrap(doing, e.ID, err)
	}
	s.watchers.Wake(e.User)
	if move != nil {
		s.signal()
	}
	return change, nil
}

// Find implements deploy.Store.
func (s *Store) Find(ctx context.Context, id string) (change core.Change, err error) {
	err = s.view(ctx, func(t table) error {
		change, err = t.change(id)
		return err
	})
	return change, wrap("find", id, err)
}

// ByCommit implements deploy.Store.
func (s *Store) ByCommit(ctx context.Context, repository string, commits []string) (found []core.Change, err error) {
	const most = 100
	err = s.view(ctx, func(t table) error {
		byOrder := map[int64]core.Change{}
		for _, commit := range commits {
			taken := 0
			err := ids(t.bucket("commits"), join(repository, commit), func(id string) (bool, error) {
				change, err := t.change(id)
				byOrder[change.Entry.Order] = change
				taken++
				return taken < most, err
			})
			if err != nil {
				return err
			}
		}
		orders := slices.SortedFunc(maps.Keys(byOrder), func(a, b int64) int { return cmp.Compare(b, a) })
		for _, order := range orders[:min(len(orders), most)] {
			found = append(found, byOrder[order])
		}
		return nil
	})
	return found, wrap("entries of", repository, err)
}

// Entry implements status.Log.
func (s *Store) Entry(ctx context.Context, user, id string) (core.Change, error) {
	change, err := s.Find(ctx, id)
	if err == nil && change.Entry.User != user {
		return core.Change{}, wrap("entry", id, core.ErrNotFound)
	}
	return change, err
}

// Entries implements status.Log.
func (s *Store) Entries(ctx context.Context, user, app string, skip, limit int) (page []core.Entry, total int, err error) {
	err = s.view(ctx, func(t table) error {
		bucket, prefix := t.bucket("users"), join(user)
		if app != "" {
			bucket, prefix = t.bucket("apps"), join(user, app)
		}
		return ids(bucket, prefix, func(id string) (bool, error) {
			total++
			if total <= skip || len(page) >= limit {
				return true, nil
			}
			change, err := t.change(id)
			page = append(page, change.Entry)
			return true, err
		})
	})
	return page, total, wrap("entries of", user, err)
}
