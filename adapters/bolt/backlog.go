package bolt

import (
	"context"

	"github.com/nodejitsu/webhooks/core/deploy"
)

// Backlog implements deploy.Queue. It reads the keys of the queue, and one entry.
func (s *Store) Backlog(ctx context.Context) (deploy.Backlog, error) {
	var found backlog
	err := s.view(ctx, func(t table) (err error) {
		found, err = t.backlog(nanos(s.steady()))
		return err
	})
	b := found.Backlog
	b.Oldest = timeOf(found.accepted)
	if due := s.byCaller(timeOf(found.due)); !due.IsZero() && (b.Oldest.IsZero() || due.Before(b.Oldest)) {
		b.Oldest = due
	}
	return b, wrap("read", "backlog", err)
}

// backlog counts the entries of the queue.
type backlog struct {
	deploy.Backlog

	first    int64 // lowest Order of those that are ready at once
	accepted int64 // when that one was queued
	due      int64 // the earliest time, by the steady clock, of those that waited for one
}

// add counts an entry that waits.
func (b *backlog) add(waits turn, now int64) {
	switch {
	case waits.at > now:
		b.Delayed++
		return
	case waits.at == 0:
		b.first = soonest(b.first, waits.order)
	default:
		b.due = soonest(b.due, waits.at)
	}
	b.Ready++
}

func (t table) backlog(now int64) (backlog, error) {
	var b backlog
	claims, err := t.claims()
	if err != nil {
		return b, err
	}
	for _, c := range claims {
		if c.expired(now) {
			b.Ready++
		} else {
			b.Claimed++
		}
	}
	// The queue has the first entry of a lane too, which is among those that wait in
	// the lane.
	inLane := map[int64]bool{}
	lane := ""
	err = t.bucket(bucketWaiting).ForEach(func(key, _ []byte) error {
		prefix, waits := key[:len(key)-16], parseTurn(key[len(key)-16:])
		if string(prefix) != lane {
			lane = string(prefix)
			inLane[waits.order] = true
		}
		b.add(waits, now)
		return nil
	})
	if err != nil {
		return b, err
	}
	err = t.bucket(bucketQueue).ForEach(func(key, _ []byte) error {
		if waits := parseTurn(key); !inLane[waits.order] {
			b.add(waits, now)
		}
		return nil
	})
	if err != nil || b.first == 0 {
		return b, err
	}
	r, err := t.record(b.first)
	b.accepted = r.updated
	return b, ignoreNotFound(err)
}
