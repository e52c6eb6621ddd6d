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
		return t.enqueue(e.ID, place{}, s.bySteady(*a.Place))
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

// Save implements deploy.Store.
func (s *Store) Save(ctx context.Context, e core.Entry, m deploy.Move) (change core.Change, err error) {
	err = s.update(ctx, func(t table) error {
		before, err := t.change(e.ID)
		if err != nil {
			return err
		}
		if before.Entry.Revision != e.Revision {
			return fmt.Errorf("revision %d is not %d: %w", e.Revision, before.Entry.Revision, core.ErrConflict)
		}
		if m.Claim != 0 {
			if _, err := t.held(e.ID, m.Claim, s.steady()); err != nil {
				return err
			}
		}
		change, err = t.write(e, &before.Entry, s.o.Now(), s.o.MaxChanges)
		if err != nil || m.Place == nil && m.Stay {
			return err
		}
		p, err := t.place(e.ID)
		if err != nil {
			return err
		}
		if m.Place != nil {
			return t.enqueue(e.ID, p, s.bySteady(*m.Place))
		}
		p.Queued, p.LeaseEnd, p.App = false, time.Time{}, ""
		return t.putPlace(e.ID, p)
	})
	if err != nil {
		return core.Change{}, wrap("save", e.ID, err)
	}
	s.watchers.Wake(e.User)
	if !m.Stay {
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
		known := map[string]bool{}
		for _, commit := range commits {
			taken := 0
			err := ids(t.bucket("commits"), join(repository, commit), func(id string) (bool, error) {
				known[id] = true
				taken++
				return taken < most, nil
			})
			if err != nil {
				return err
			}
		}
		newest := slices.SortedFunc(maps.Keys(known), func(a, b string) int { return cmp.Compare(b, a) })
		for _, id := range newest[:min(len(newest), most)] {
			change, err := t.change(id)
			if err != nil {
				return err
			}
			found = append(found, change)
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
