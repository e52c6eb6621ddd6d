package bolt

import (
	"bytes"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// The buckets, see the package's documentation.
const (
	bucketMeta     = "meta"
	bucketEntries  = "entries"
	bucketIDs      = "ids"
	bucketPayloads = "payloads"
	bucketKeys     = "keys"
	bucketUsers    = "users"
	bucketIndex    = "index"
	bucketCounts   = "counts"
	bucketCommits  = "commits"
	bucketQueue    = "queue"
	bucketWaiting  = "waiting"
	bucketClaims   = "claims"
	bucketLanes    = "lanes"
	bucketApps     = "apps"
	bucketChanges  = "changes"
	bucketOutbox   = "outbox"
)

// The keys of the bucket meta.
const (
	metaFormat  = "format"
	metaLast    = "last"
	metaDelayed = "delayed"
	metaRoom    = "room"
)

func buckets() []string {
	return []string{
		bucketMeta, bucketEntries, bucketIDs, bucketPayloads, bucketKeys, bucketUsers, bucketIndex, bucketCounts,
		bucketCommits, bucketQueue, bucketWaiting, bucketClaims, bucketLanes, bucketApps, bucketChanges, bucketOutbox,
	}
}

// table reads and writes the buckets within one transaction.
type table struct {
	tx    *bbolt.Tx
	run   int64 // number of the process that has the file, see claim
	floor int64 // every new Order is higher
}

func (t table) bucket(name string) *bbolt.Bucket { return t.tx.Bucket([]byte(name)) }

func (t table) get(bucket string, key []byte) []byte { return t.bucket(bucket).Get(key) }

func (t table) put(bucket string, key, value []byte) error { return t.bucket(bucket).Put(key, value) }

// appendTo is put for a key that is usually the highest: it fills the pages, which
// bbolt would leave half empty.
func (t table) appendTo(bucket string, key, value []byte) error {
	b := t.bucket(bucket)
	b.FillPercent = 0.95
	return b.Put(key, value)
}

func (t table) delete(bucket string, key []byte) error { return t.bucket(bucket).Delete(key) }

// find returns the entry of an id, or core.ErrNotFound.
func (t table) find(id string) (record, error) {
	order := t.get(bucketIDs, []byte(id))
	if order == nil {
		return record{}, core.ErrNotFound
	}
	return t.record(number(order))
}

// record returns the entry of an Order, or core.ErrNotFound.
func (t table) record(order int64) (record, error) {
	stored := t.get(bucketEntries, orderKey(order))
	if stored == nil {
		return record{}, core.ErrNotFound
	}
	r, err := parseRecord(stored)
	if err != nil {
		return record{}, fmt.Errorf("entry %d: %w", order, err)
	}
	return r, nil
}

// user is the state of a user.
type user struct {
	last    core.Seq // of the user's last change
	trimmed core.Seq // of the last change that is no longer kept
	changes int64    // number of those that are kept
	entries int64
}

func (t table) user(name string) user {
	stored := t.get(bucketUsers, userKey(name))
	if len(stored) < 6*8 {
		return user{}
	}
	return user{
		last: parseSeq(stored), trimmed: parseSeq(stored[16:]), changes: number(stored[32:]), entries: number(stored[40:]),
	}
}

func (t table) putUser(name string, u user) error {
	value := appendSeq(appendSeq(make([]byte, 0, 48), u.last), u.trimmed)
	return t.put(bucketUsers, userKey(name), appendNumber(appendNumber(value, u.changes), u.entries))
}

// userKey is the key of a user. It is never empty, although the name may be: a
// report of Travis CI may have no user.
func userKey(name string) []byte { return []byte("u" + name) }

func appendSeq(dst []byte, s core.Seq) []byte {
	return appendNumber(appendNumber(dst, int64(s.Millis)), int64(s.N)) //nolint:gosec // read back as they were
}

func parseSeq(stored []byte) core.Seq {
	return core.Seq{Millis: uint64(number(stored)), N: uint64(number(stored[8:]))} //nolint:gosec // written from an uint64
}

// save writes r and appends it to the user's changes, of which it keeps at most
// most. It sets the Seq of r.
func (t table) save(r *record, u user, now int64, most int) error {
	if err := t.keepChange(*r, u); err != nil {
		return err
	}
	u.last = u.last.Next(timeOf(now))
	r.seq = u.last
	order := orderKey(r.order)
	if err := t.appendTo(bucketEntries, order, r.bytes()); err != nil {
		return err
	}
	if err := t.put(bucketChanges, changeKey(r.user, r.seq), order); err != nil {
		return err
	}
	u.changes++
	if over := u.changes - int64(most); over > 0 {
		if err := t.trim(r.user, &u, func(_ core.Seq, n int64) bool { return n < over }); err != nil {
			return err
		}
	}
	return t.putUser(r.user, u)
}

// trim removes the oldest changes of a user while drop returns true; n is the number
// of those removed before.
func (t table) trim(name string, u *user, drop func(oldest core.Seq, n int64) bool) error {
	changes, prefix := t.bucket(bucketChanges), join(name, "")
	var gone [][]byte
	cursor := changes.Cursor()
	for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Next() {
		if !drop(parseSeq(key[len(prefix):]), int64(len(gone))) {
			break
		}
		gone = append(gone, bytes.Clone(key))
	}
	for _, key := range gone {
		if err := changes.Delete(key); err != nil {
			return err
		}
		u.trimmed = parseSeq(key[len(prefix):])
		u.changes--
	}
	return nil
}

// forget removes an entry and the keys that lead to it. commits are the
// commitPrefixes of the entry.
func (t table) forget(r record, commits [][]byte) error {
	order, u := orderKey(r.order), t.user(r.user)
	errs := []error{
		t.keepChange(r, u),
		t.delete(bucketEntries, order), t.delete(bucketIDs, []byte(r.id)), t.delete(bucketPayloads, order),
		t.delete(bucketOutbox, []byte(r.id)), t.deleteIndex(r.user, "", r.order),
	}
	if r.app != "" {
		errs = append(errs, t.deleteIndex(r.user, r.app, r.order), t.deleteIf(bucketApps, []byte(r.user+"/"+r.app), r.order))
	}
	if r.lane != "" {
		errs = append(errs, t.deleteIf(bucketLanes, []byte(r.lane), r.order))
	}
	if r.key != "" {
		errs = append(errs, t.deleteIf(bucketKeys, hashOf(r.user, r.key), r.order))
	}
	for _, prefix := range commits {
		errs = append(errs, t.delete(bucketCommits, append(prefix, order...)))
	}
	u.entries--
	return errors.Join(append(errs, t.putUser(r.user, u))...)
}

// deleteIf deletes a key if its value begins with order.
func (t table) deleteIf(bucket string, key []byte, order int64) error {
	if value := t.get(bucket, key); value == nil || number(value) != order {
		return nil
	}
	return t.delete(bucket, key)
}
