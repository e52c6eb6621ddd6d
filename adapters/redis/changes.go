package redis

import (
	"context"
	"strconv"

	"github.com/nodejitsu/webhooks/core"
)

// Changes implements status.Feed.
func (s *Store) Changes(ctx context.Context, user string, since core.Seq, limit int) ([]core.EncodedChange, error) {
	r, err := s.call(ctx, "changes", user, since.String(),
		strconv.FormatUint(since.Millis, 10), strconv.FormatUint(since.N, 10), limit)
	if err != nil {
		return nil, wrap("changes", user, err)
	}
	fields := r.list()
	if fields.at(0).text() == "gone" {
		return nil, wrap("changes after "+since.String()+" of", user, core.ErrGone)
	}
	found := fields.at(1).list()
	all := make([]core.EncodedChange, 0, len(found.values))
	for i := range found.values {
		c, err := found.at(i).list().change()
		if err != nil {
			return nil, wrap("changes", user, err)
		}
		all = append(all, c)
	}
	return all, wrap("changes", user, r.err)
}

// change parses an entry of a stream: its id, and alternating names and values.
func (l list) change() (core.EncodedChange, error) {
	seq, pairs := l.at(0).text(), l.at(1).list()
	var doc, revision, attempts, updated, order string
	for i := 0; i+1 < len(pairs.values); i += 2 {
		value := pairs.at(i + 1).text()
		switch pairs.at(i).text() {
		case "doc":
			doc = value
		case "rev":
			revision = value
		case "attempts":
			attempts = value
		case "updated":
			updated = value
		case "order":
			order = value
		}
	}
	return l.r.packer.change(doc, revision, attempts, updated, seq, order)
}

// Bounds implements status.Feed.
func (s *Store) Bounds(ctx context.Context, user string) (oldest, newest core.Seq, err error) {
	r, err := s.call(ctx, "bounds", user)
	if err != nil {
		return core.Seq{}, core.Seq{}, wrap("bounds", user, err)
	}
	fields := r.list()
	if len(fields.values) == 0 {
		return core.Seq{}, core.Seq{}, wrap("bounds", user, r.err)
	}
	if kept := fields.at(0).text(); kept != "" {
		if oldest, err = core.ParseSeq(kept); err != nil {
			return core.Seq{}, core.Seq{}, wrap("bounds", user, err)
		}
	}
	newest, err = core.ParseSeq(fields.at(1).text())
	return oldest, newest, wrap("bounds", user, err)
}
