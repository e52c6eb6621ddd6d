package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Update implements deploy.Store.
func (s *Store) Update(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	return s.save(ctx, e, claim, "stay", deploy.Place{})
}

// Requeue implements deploy.Store.
func (s *Store) Requeue(ctx context.Context, e core.Entry, claim int, p deploy.Place) (core.Change, error) {
	return s.save(ctx, e, claim, "place", p)
}

// Hold implements deploy.Store.
func (s *Store) Hold(ctx context.Context, e core.Entry, claim int, until time.Time) (core.Change, error) {
	return s.save(ctx, e, claim, "place", deploy.Place{At: until})
}

// Finish implements deploy.Store.
func (s *Store) Finish(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	return s.save(ctx, e, claim, "leave", deploy.Place{})
}

// save writes e as its entry's next revision and moves it in the queue.
func (s *Store) save(ctx context.Context, e core.Entry, claim int, move string, p deploy.Place) (core.Change, error) {
	doc, err := s.packer.encode(e)
	if err != nil {
		return core.Change{}, wrap("save", e.ID, err)
	}
	args := []any{
		e.ID, e.Revision, doc, e.Attempts, updated(e), flag(!e.Status.Outcome()), e.App, claim,
		move, p.Lane, micros(p.PushedAt), micros(p.At),
	}
	nonce := s.lost.nonce("save", args...)
	r, err := s.call(ctx, "save", append([]any{nonce}, args...)...)
	if err != nil {
		s.lost.keep(nonce, "save", args...)
		return core.Change{}, wrap("save", e.ID, err)
	}
	fields := r.list()
	switch fields.at(0).text() {
	case "missing":
		return core.Change{}, wrap("save", e.ID, core.ErrNotFound)
	case "conflict":
		return core.Change{}, wrap("save", e.ID, fmt.Errorf("revision %d, claim %d: %w", e.Revision, claim, core.ErrConflict))
	}
	s.written(e.User)
	seq, err := core.ParseSeq(fields.at(1).text())
	e = e.Clone()
	e.Revision++
	return core.Change{Seq: seq, Entry: e}, wrap("save", e.ID, errors.Join(err, r.err))
}

// Find implements deploy.Store.
func (s *Store) Find(ctx context.Context, id string) (core.Change, error) {
	return s.find(ctx, "*", id)
}

// Entry implements status.Log.
func (s *Store) Entry(ctx context.Context, user, id string) (core.Change, error) {
	return s.find(ctx, user, id)
}

func (s *Store) find(ctx context.Context, user, id string) (core.Change, error) {
	r, err := s.call(ctx, "find", id, user)
	if err != nil {
		return core.Change{}, wrap("find", id, err)
	}
	c, err := r.list().stored()
	return c, wrap("find", id, errors.Join(err, r.err))
}

// Payload implements deploy.Store and status.Log.
func (s *Store) Payload(ctx context.Context, id string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.CallTimeout)
	defer cancel()
	packed, err := s.client.Get(ctx, s.base()+"p:"+id).Result()
	if errors.Is(err, redis.Nil) {
		err = core.ErrNotFound
	}
	if err != nil {
		return nil, wrap("payload", id, err)
	}
	payload, err := s.packer.unpack(packed)
	return payload, wrap("payload", id, err)
}

// found is the maximum number of entries of a user that ByCommit returns.
const found = 100

// ByCommit implements deploy.Store.
func (s *Store) ByCommit(ctx context.Context, user, repository string, commits []string) ([]core.Change, error) {
	args := []any{user, repository, found}
	for _, commit := range commits {
		args = append(args, commit)
	}
	r, err := s.call(ctx, "bycommit", args...)
	if err != nil {
		return nil, wrap("by commit", repository, err)
	}
	all, err := r.list().all()
	return all, wrap("by commit", repository, errors.Join(err, r.err))
}

// all parses a list of results of the scripts' function stored.
func (l list) all() ([]core.Change, error) {
	all := make([]core.Change, 0, len(l.values))
	for i := range l.values {
		c, err := l.at(i).list().stored()
		if errors.Is(err, core.ErrNotFound) {
			continue // it was removed, but not yet from the index
		}
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Entries implements status.Log.
func (s *Store) Entries(ctx context.Context, user, app string, skip, limit int) (page []core.Entry, total int, err error) {
	index := user
	if app != "" {
		index += "/" + app
	}
	r, err := s.call(ctx, "entries", index, skip, limit)
	if err != nil {
		return nil, 0, wrap("entries", user, err)
	}
	fields := r.list()
	all, err := fields.at(1).list().all()
	page = make([]core.Entry, 0, len(all))
	for _, c := range all {
		page = append(page, c.Entry)
	}
	return page, int(fields.at(0).number()), wrap("entries", user, errors.Join(err, r.err))
}
