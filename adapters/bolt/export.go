package bolt

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/adapters/transfer"
	"github.com/nodejitsu/webhooks/core"
)

// exportPage is how many entries one transaction reads, so that writing can go on.
const exportPage = 200

// EachKept calls f with every entry, the oldest first, until f fails.
func (s *Store) EachKept(ctx context.Context, f func(transfer.Kept) error) error {
	keys, err := s.keysByID(ctx)
	if err != nil {
		return wrap("export", "keys", err)
	}
	var last string
	for {
		var page []transfer.Kept
		err := s.view(ctx, func(t table) error {
			cursor := t.bucket("entries").Cursor()
			id, _ := cursor.Seek([]byte(last + "\x00"))
			for ; id != nil && len(page) < exportPage; id, _ = cursor.Next() {
				kept, err := t.kept(string(id), keys)
				if err != nil {
					return err
				}
				page = append(page, kept)
				last = string(id)
			}
			return nil
		})
		if err != nil || len(page) == 0 {
			return wrap("export", last, err)
		}
		for _, kept := range page {
			if err := f(kept); err != nil {
				return err
			}
		}
	}
}

// keyOf is a key with when it was made.
type keyOf struct {
	key  string
	made time.Time
}

func (s *Store) keysByID(ctx context.Context) (map[string]keyOf, error) {
	keys := map[string]keyOf{}
	return keys, s.view(ctx, func(t table) error {
		return t.bucket("keys").ForEach(func(name, value []byte) error {
			_, key, _ := strings.Cut(string(name), "\x00")
			if len(value) < 8 {
				return fmt.Errorf("the key %q is damaged", name)
			}
			keys[string(value[8:])] = keyOf{key, keyTime(value)}
			return nil
		})
	})
}

func (t table) kept(id string, keys map[string]keyOf) (transfer.Kept, error) {
	change, err := t.change(id)
	if err != nil {
		return transfer.Kept{}, err
	}
	p, err := t.place(id)
	if err != nil {
		return transfer.Kept{}, err
	}
	kept := transfer.Kept{Change: change, Lane: p.Lane, Queued: p.Queued, At: p.At, Key: keys[id].key, KeyMade: keys[id].made}
	kept.Owed = t.bucket("outbox").Get([]byte(id)) != nil
	if payload := t.bucket("payloads").Get([]byte(id)); payload != nil {
		kept.Payload = append([]byte{}, payload...)
	}
	return kept, nil
}

// Lanes returns every lane.
func (s *Store) Lanes(ctx context.Context) ([]transfer.Lane, error) {
	var lanes []transfer.Lane
	err := s.view(ctx, func(t table) error {
		return t.bucket("lanes").ForEach(func(name, _ []byte) error {
			var n newest
			_, err := load(t.bucket("lanes"), name, &n)
			lanes = append(lanes, transfer.Lane{Name: string(name), Newest: n.ID, PushedAt: n.PushedAt})
			return err
		})
	})
	return lanes, wrap("export", "lanes", err)
}

// Joined returns the id of the newest entry of each app, by user/app.
func (s *Store) Joined(ctx context.Context) (map[string]string, error) {
	joined := map[string]string{}
	err := s.view(ctx, func(t table) error {
		return t.bucket("joined").ForEach(func(name, id []byte) error {
			joined[string(name)] = string(id)
			return nil
		})
	})
	return joined, wrap("export", "apps", err)
}

// Feeds returns, by user, the Seq of the last change that is not kept any more;
// zero where all are.
func (s *Store) Feeds(ctx context.Context) (map[string]core.Seq, error) {
	feeds := map[string]core.Seq{}
	err := s.view(ctx, func(t table) error {
		return t.bucket("feeds").ForEach(func(name, _ []byte) error {
			var f feed
			if _, err := load(t.bucket("feeds"), name, &f); err != nil {
				return err
			}
			trimmed, err := parseSeq(f.Trimmed)
			feeds[strings.TrimPrefix(string(name), "u")] = trimmed
			return err
		})
	})
	return feeds, wrap("export", "feeds", err)
}
