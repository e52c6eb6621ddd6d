package bolt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// table reads and writes the buckets within one transaction.
type table struct{ tx *bbolt.Tx }

func (t table) bucket(name string) *bbolt.Bucket { return t.tx.Bucket([]byte(name)) }

// stored is the value of an entry.
type stored struct {
	Seq   string     `json:"seq"`
	Entry core.Entry `json:"entry"`
}

// place is an entry's place in the queue.
type place struct {
	Order    int64     `json:"order"` // of the entry
	Lane     string    `json:"lane,omitempty"`
	App      string    `json:"app,omitempty"` // user/app that the claim was extended to
	Queued   bool      `json:"queued"`
	At       time.Time `json:"at"`
	QueuedAt time.Time `json:"queued_at,omitzero"` // if At is not zero
	LeaseEnd time.Time `json:"lease_end,omitzero"` // zero: not claimed
}

// newest is the newest entry of a lane or an app.
type newest struct {
	ID       string    `json:"id"`
	Order    int64     `json:"order"`
	PushedAt time.Time `json:"pushed_at,omitzero"`
}

// feed is what a user's change log remembers.
type feed struct {
	Last    string `json:"last"`
	Trimmed string `json:"trimmed"`
	Count   int    `json:"count"`
}

func join(parts ...string) []byte {
	var key []byte
	for i, part := range parts {
		if i > 0 {
			key = append(key, 0)
		}
		key = append(key, part...)
	}
	return key
}

func seqKey(s core.Seq) []byte {
	key := binary.BigEndian.AppendUint64(nil, s.Millis)
	return binary.BigEndian.AppendUint64(key, s.N)
}

func parseSeqKey(key []byte) core.Seq {
	return core.Seq{Millis: binary.BigEndian.Uint64(key), N: binary.BigEndian.Uint64(key[8:])}
}

func (p place) queueKey() []byte {
	var nanos uint64
	if p.At.Unix() > 0 {
		nanos = uint64(p.At.UnixNano()) //nolint:gosec // positive, as was just seen
	}
	return append(binary.BigEndian.AppendUint64(nil, nanos), orderKey(p.Order)...)
}

func orderKey(order int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(order)) //nolint:gosec // never negative
}

// number returns a number of the bucket meta, 0 if it was not written yet.
func (t table) number(name string) int64 {
	value := t.bucket("meta").Get([]byte(name))
	if len(value) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(value)) //nolint:gosec // written from an int64
}

func (t table) setNumber(name string, n int64) error {
	return t.bucket("meta").Put([]byte(name), orderKey(n))
}

// load reads a JSON value; there is false where there is none.
func load(b *bbolt.Bucket, key []byte, into any) (there bool, err error) {
	value := b.Get(key)
	if value == nil {
		return false, nil
	}
	if err := json.Unmarshal(value, into); err != nil {
		return false, fmt.Errorf("the value of %q is damaged: %w", key, err)
	}
	return true, nil
}

func store(b *bbolt.Bucket, key []byte, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put(key, encoded)
}

// change returns an entry's newest change, or core.ErrNotFound.
func (t table) change(id string) (core.Change, error) {
	var s stored
	there, err := load(t.bucket("entries"), []byte(id), &s)
	if err != nil || !there {
		return core.Change{}, orNotFound(err)
	}
	seq, err := core.ParseSeq(s.Seq)
	return core.Change{Seq: seq, Entry: s.Entry}, err
}

func orNotFound(err error) error {
	if err == nil {
		return core.ErrNotFound
	}
	return err
}

// write makes e the next revision of its entry, indexes it and appends the
// change to the user's log, which it trims to most.
func (t table) write(e core.Entry, before *core.Entry, now time.Time, most int) (core.Change, error) {
	e = e.Clone()
	e.Revision++
	var f feed
	if _, err := load(t.bucket("feeds"), userKey(e.User), &f); err != nil {
		return core.Change{}, err
	}
	last, err := parseSeq(f.Last)
	if err != nil {
		return core.Change{}, err
	}
	change := core.Change{Seq: last.Next(now), Entry: e}
	if err := store(t.bucket("entries"), []byte(e.ID), stored{change.Seq.String(), e}); err != nil {
		return core.Change{}, err
	}
	if err := t.index(e, before); err != nil {
		return core.Change{}, err
	}
	log, err := t.bucket("changes").CreateBucketIfNotExists(userKey(e.User))
	if err != nil {
		return core.Change{}, err
	}
	if err := store(log, seqKey(change.Seq), e); err != nil {
		return core.Change{}, err
	}
	f.Last = change.Seq.String()
	f.Count++
	if err := trim(log, &f, func(core.Seq) bool { return f.Count > most }); err != nil {
		return core.Change{}, err
	}
	return change, store(t.bucket("feeds"), userKey(e.User), f)
}

// userKey is a key, or a bucket's name, for a user: neither can be empty, and
// a report of Travis CI that names nobody has no user.
func userKey(user string) []byte { return []byte("u" + user) }

func parseSeq(text string) (core.Seq, error) {
	if text == "" {
		return core.Seq{}, nil
	}
	return core.ParseSeq(text)
}

// trim drops the oldest changes while drop says so.
func trim(log *bbolt.Bucket, f *feed, drop func(oldest core.Seq) bool) error {
	cursor := log.Cursor()
	for key, _ := cursor.First(); key != nil; key, _ = cursor.First() {
		oldest := parseSeqKey(key)
		if !drop(oldest) {
			return nil
		}
		if err := cursor.Delete(); err != nil {
			return err
		}
		f.Trimmed = oldest.String()
		f.Count--
	}
	return nil
}

// index writes what entries are found by. before is the revision before.
func (t table) index(e core.Entry, before *core.Entry) error {
	if before == nil {
		if err := t.bucket("users").Put(join(e.User, string(orderKey(e.Order))), []byte(e.ID)); err != nil {
			return err
		}
		for _, commit := range append([]string{e.Commit.ID}, e.Commits...) {
			if commit == "" {
				continue
			}
			if err := t.bucket("commits").Put(join(e.Repository.Key(), commit, string(orderKey(e.Order))), []byte(e.ID)); err != nil {
				return err
			}
		}
	}
	if before != nil && before.App == e.App {
		return nil
	}
	if before != nil && before.App != "" {
		if err := t.bucket("apps").Delete(join(e.User, before.App, string(orderKey(e.Order)))); err != nil {
			return err
		}
	}
	if e.App == "" {
		return nil
	}
	return t.bucket("apps").Put(join(e.User, e.App, string(orderKey(e.Order))), []byte(e.ID))
}

// forget removes an entry and all that leads to it.
func (t table) forget(e core.Entry) error {
	order := string(orderKey(e.Order))
	for bucket, keys := range map[string][][]byte{
		"entries": {[]byte(e.ID)}, "payloads": {[]byte(e.ID)}, "places": {[]byte(e.ID)}, "outbox": {[]byte(e.ID)},
		"users": {join(e.User, order)}, "apps": {join(e.User, e.App, order)},
	} {
		for _, key := range keys {
			if err := t.bucket(bucket).Delete(key); err != nil {
				return err
			}
		}
	}
	for _, commit := range append([]string{e.Commit.ID}, e.Commits...) {
		if err := t.bucket("commits").Delete(join(e.Repository.Key(), commit, order)); err != nil {
			return err
		}
	}
	return nil
}

// ids calls f with the ids below prefix, newest first, until it returns false.
func ids(b *bbolt.Bucket, prefix []byte, f func(id string) (goOn bool, err error)) error {
	cursor := b.Cursor()
	prefix = append(prefix, 0)
	after := append(bytes.Clone(prefix[:len(prefix)-1]), 1)
	key, id := cursor.Seek(after)
	if key == nil {
		key, id = cursor.Last()
	} else {
		key, id = cursor.Prev()
	}
	for ; key != nil && bytes.HasPrefix(key, prefix); key, id = cursor.Prev() {
		goOn, err := f(string(id))
		if err != nil || !goOn {
			return err
		}
	}
	return nil
}
