package bolt

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

const (
	cleanEvery = time.Minute
	// The most that one transaction of the janitor reads or removes: deliveries
	// must not wait for it.
	readPass   = 1000
	removePass = 50
)

// janitor calls Clean at intervals until ctx ends.
func (s *Store) janitor(ctx context.Context) {
	for {
		if err := s.Clean(ctx); err != nil && ctx.Err() == nil && s.Check(ctx) == nil {
			s.o.Logger.Warn("cleaning of the store failed", "error", err)
		}
		timer := time.NewTimer(cleanEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// Clean removes outcomes, their payloads and changes that are no longer kept, see
// Options. Live entries are kept. It reads concurrently with writes, reads only as
// far as there is something to remove, and removes a little at a time.
func (s *Store) Clean(ctx context.Context) error {
	_, err := s.clean(ctx)
	return wrap("clean", s.o.Path, err)
}

// clean returns how many entries it has read.
func (s *Store) clean(ctx context.Context) (read int, err error) {
	for _, clean := range []func(context.Context) (int, error){s.cleanEntries, s.cleanPayloads, s.cleanUsers} {
		n, err := clean(ctx)
		if read += n; err != nil {
			return read, err
		}
	}
	return read, nil
}

// cleanEntries removes outcomes that are too old.
func (s *Store) cleanEntries(ctx context.Context) (read int, err error) {
	return s.eachOld(ctx, bucketEntries, s.o.KeepEntries, s.forget)
}

// cleanPayloads removes the payloads of outcomes that are too old.
func (s *Store) cleanPayloads(ctx context.Context) (read int, err error) {
	return s.eachOld(ctx, bucketPayloads, s.o.KeepPayloads, func(ctx context.Context, old []revision) error {
		return s.remove(ctx, old, func(t table, r record) error { return t.delete(bucketPayloads, orderKey(r.order)) })
	})
}

// revision is an entry as it was when the janitor saw it.
type revision struct{ order, revision int64 }

// eachOld calls remove with the outcomes of entries that were made longer than
// keep ago and that have a key in bucket, the first accepted first.
func (s *Store) eachOld(ctx context.Context, bucket string, keep time.Duration, remove func(context.Context, []revision) error) (read int, err error) {
	scan := oldScan{now: nanos(s.o.Now()), keep: int64(keep)}
	for more := true; more; {
		err := s.view(ctx, func(t table) error {
			more = false
			cursor, end := t.bucket(bucket).Cursor(), read+readPass
			for key, _ := cursor.Seek(orderKey(scan.next)); key != nil; key, _ = cursor.Next() {
				if more = read == end; more {
					break
				}
				read++
				r, err := t.record(number(key))
				if err != nil {
					return err
				}
				if !scan.add(r) {
					break
				}
			}
			return nil
		})
		if err == nil {
			err = remove(ctx, scan.old)
		}
		if err != nil {
			return read, err
		}
		scan.old = nil
	}
	return read, nil
}

// oldScan finds old outcomes among entries in the order of their acceptance, and
// ends at the first entry that is young. An entry with a time in the future, because
// the clock was ahead, is old if a later one is.
type oldScan struct {
	now, keep   int64
	next        int64      // the Order to continue from
	future, old []revision // outcomes
}

// add adds an entry to old if it is old, and returns false if it is young.
func (scan *oldScan) add(r record) bool {
	if r.created <= scan.now && r.created > scan.now-scan.keep {
		return false
	}
	if r.state&live == 0 {
		scan.future = append(scan.future, revision{r.order, r.revision})
	}
	if r.created <= scan.now {
		scan.old = append(scan.old, scan.future...)
		scan.future = scan.future[:0]
	}
	scan.next = r.order + 1
	return true
}

// cleanUsers removes the outcomes that a user has too many of, and changes that are
// too old.
func (s *Store) cleanUsers(ctx context.Context) (read int, err error) {
	from := []byte{}
	for from != nil {
		users := map[string]user{}
		err := s.view(ctx, func(t table) error {
			cursor := t.bucket(bucketUsers).Cursor()
			key, _ := cursor.Seek(from)
			for ; key != nil && len(users) < readPass; key, _ = cursor.Next() {
				name := string(key[1:])
				users[name] = t.user(name)
			}
			from = append([]byte(nil), key...)
			return nil
		})
		if err != nil {
			return read, err
		}
		for name, u := range users {
			n, err := s.cleanMany(ctx, name, u)
			if read += n; err == nil {
				err = s.cleanChanges(ctx, name, u)
			}
			if err != nil {
				return read, err
			}
		}
	}
	return read, nil
}

// cleanMany removes the outcomes of a user that are not among the newest
// MaxEntries entries.
func (s *Store) cleanMany(ctx context.Context, name string, u user) (read int, err error) {
	prefix := join(name, "", "")
	from, over := prefix, int(u.entries)-s.o.MaxEntries
	for read < over && bytes.HasPrefix(from, prefix) {
		var old []revision
		err := s.view(ctx, func(t table) error {
			cursor, end := t.bucket(bucketIndex).Cursor(), min(read+readPass, over)
			key, _ := cursor.Seek(from)
			for ; bytes.HasPrefix(key, prefix) && read < end; key, _ = cursor.Next() {
				read++
				r, err := t.record(number(key[len(prefix):]))
				if err != nil {
					return err
				}
				if r.state&live == 0 {
					old = append(old, revision{r.order, r.revision})
				}
			}
			from = bytes.Clone(key)
			return nil
		})
		if err == nil {
			err = s.forget(ctx, old)
		}
		if err != nil {
			return read, err
		}
	}
	return read, nil
}

// cleanChanges removes the changes of a user that are too old.
func (s *Store) cleanChanges(ctx context.Context, name string, u user) error {
	before := core.Seq{Millis: uint64(max(s.o.Now().Add(-s.o.KeepChanges).UnixMilli(), 0))} //nolint:gosec // not negative
	oldest, _, err := s.Bounds(ctx, name)
	if err != nil || u.changes == 0 || oldest.Compare(before) >= 0 {
		return err
	}
	for removed := int64(removePass); removed == removePass; {
		err := s.pause(ctx, func() error {
			return s.update(ctx, func(t table) error {
				u := t.user(name)
				kept := u.changes
				err := t.trim(name, &u, func(oldest core.Seq, n int64) bool { return n < removePass && oldest.Compare(before) < 0 })
				removed = kept - u.changes
				return errors.Join(err, t.putUser(name, u))
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forget removes entries and the keys that lead to them.
func (s *Store) forget(ctx context.Context, old []revision) error {
	for part := range slices.Chunk(old, removePass) {
		commits := map[int64][][]byte{} // decoded before the transaction that writes
		var found []core.EncodedChange
		err := s.view(ctx, func(t table) error {
			for _, o := range part {
				if err := t.changes([]int64{o.order}, &found); ignoreNotFound(err) != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		changes, err := decode(found)
		if err != nil {
			return err
		}
		for _, c := range changes {
			commits[c.Entry.Order] = commitPrefixes(c.Entry)
		}
		if err := s.remove(ctx, part, func(t table, r record) error { return t.forget(r, commits[r.order]) }); err != nil {
			return err
		}
	}
	return nil
}

// remove calls do with the entries that were not changed meanwhile, a few in each
// transaction.
func (s *Store) remove(ctx context.Context, old []revision, do func(t table, r record) error) error {
	for part := range slices.Chunk(old, removePass) {
		err := s.pause(ctx, func() error {
			return s.update(ctx, func(t table) error {
				for _, o := range part {
					r, err := t.record(o.order)
					if errors.Is(err, core.ErrNotFound) || err == nil && r.revision != o.revision {
						continue
					}
					if err == nil {
						err = do(t, r)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pause calls do and then waits for the same time, so that the janitor uses at most
// half of the disk's time.
func (s *Store) pause(ctx context.Context, do func() error) error {
	began := time.Now()
	err := do()
	timer := time.NewTimer(time.Since(began))
	defer timer.Stop()
	select {
	case <-timer.C:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}
