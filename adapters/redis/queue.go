package redis

import (
	"context"
	"errors"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Claim implements deploy.Queue.
func (s *Store) Claim(ctx context.Context, lease time.Duration) (c deploy.Claim, found bool, next time.Time, err error) {
	nonce := s.lost.nonce("claim", lease)
	r, err := s.call(ctx, "claim", lease.Microseconds(), nonce)
	if err != nil {
		s.lost.keep(nonce, "claim", lease)
		return deploy.Claim{}, false, time.Time{}, wrap("claim", "", err)
	}
	fields := r.list()
	if fields.at(0).text() != "claimed" {
		if at := fields.at(1).number(); at > 0 {
			next = time.UnixMicro(at).UTC()
		}
		return deploy.Claim{}, false, next, wrap("claim", "", r.err)
	}
	change, err := fields.at(2).list().stored()
	s.sawOrder(change.Entry.Order)
	s.watchers.Wake(change.Entry.User)
	if err = errors.Join(err, r.err); err != nil {
		return deploy.Claim{}, false, time.Time{}, wrap("claim", fields.at(1).text(), err)
	}
	return deploy.Claim{
		Change: change, Attempt: change.Entry.Attempts, Lost: fields.at(3).text() == "1",
		Newest: fields.at(4).text(),
	}, true, time.Time{}, nil
}

// Renew implements deploy.Queue.
func (s *Store) Renew(ctx context.Context, c deploy.Claim, lease time.Duration) (string, error) {
	id := c.Change.Entry.ID
	r, err := s.call(ctx, "renew", id, c.Attempt, lease.Microseconds())
	if err != nil {
		return "", wrap("renew", id, err)
	}
	newest, _, err := r.newest()
	return newest, wrap("renew", id, err)
}

// ClaimApp implements deploy.Queue.
func (s *Store) ClaimApp(ctx context.Context, c deploy.Claim, app string) (newest string, busy bool, err error) {
	e := c.Change.Entry
	r, err := s.call(ctx, "claimapp", e.ID, c.Attempt, e.User+"/"+app)
	if err != nil {
		return "", false, wrap("claim app", e.ID, err)
	}
	newest, busy, err = r.newest()
	return newest, busy, wrap("claim app", e.ID, err)
}

// newest parses the result of the scripts for a claim.
func (r *reply) newest() (id string, busy bool, err error) {
	fields := r.list()
	switch fields.at(0).text() {
	case "conflict":
		return "", false, core.ErrConflict
	case "busy":
		return "", true, r.err
	}
	return fields.at(1).text(), false, r.err
}

// Ready implements deploy.Queue.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Backlog implements deploy.Queue.
func (s *Store) Backlog(ctx context.Context) (deploy.Backlog, error) {
	r, err := s.call(ctx, "backlog")
	if err != nil {
		return deploy.Backlog{}, wrap("read", "backlog", err)
	}
	fields := r.list()
	b := deploy.Backlog{
		Ready: int(fields.at(0).number()), Delayed: int(fields.at(1).number()), Claimed: int(fields.at(2).number()),
	}
	if queued := fields.at(3).number(); queued > 0 {
		b.Oldest = time.Unix(0, queued).UTC()
	}
	if due := fields.at(4).number(); due > 0 {
		if at := time.UnixMicro(due).UTC(); b.Oldest.IsZero() || at.Before(b.Oldest) {
			b.Oldest = at
		}
	}
	return b, wrap("read", "backlog", r.err)
}
