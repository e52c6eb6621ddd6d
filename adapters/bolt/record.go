package bolt

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// record is an entry as it is stored: the encoded entry and the values that the
// store needs, so that it never decodes an entry within a transaction.
type record struct {
	order    int64
	revision int64
	attempts int64
	updated  int64 // a time
	created  int64 // a time
	seq      core.Seq
	state    state
	at       int64 // when it is ready, if it is queued or claimed
	queuedAt int64 // when it was queued, if at is not 0

	id, user, app, lane, key string
	entry                    []byte // of core.EncodeEntry
}

// state is the state of an entry.
type state byte

const (
	live    state = 1 << iota // its status is not an outcome
	queued                    // it waits in the queue
	claimed                   // there is a claim of it
)

const recordNumbers = 9*8 + 1 // bytes

// append appends the stored form of r.
func (r *record) append(dst []byte) []byte {
	for _, n := range [...]int64{r.order, r.revision, r.attempts, r.updated, r.created, int64(r.seq.Millis), int64(r.seq.N), r.at, r.queuedAt} { //nolint:gosec // read back as they were
		dst = appendNumber(dst, n)
	}
	dst = append(dst, byte(r.state))
	for _, text := range [...]string{r.id, r.user, r.app, r.lane, r.key} {
		dst = appendText(dst, text)
	}
	return append(dst, r.entry...)
}

// bytes returns the stored form of r.
func (r *record) bytes() []byte {
	const lengths = 5 * binary.MaxVarintLen16
	return r.append(make([]byte, 0, recordNumbers+lengths+len(r.id)+len(r.user)+len(r.app)+len(r.lane)+len(r.key)+len(r.entry)))
}

var errDamaged = errors.New("the stored entry is damaged")

// parseRecord reads the stored form. entry is a part of stored.
func parseRecord(stored []byte) (r record, err error) {
	if len(stored) < recordNumbers {
		return record{}, errDamaged
	}
	var millis, n int64
	for _, into := range [...]*int64{&r.order, &r.revision, &r.attempts, &r.updated, &r.created, &millis, &n, &r.at, &r.queuedAt} {
		*into, stored = number(stored), stored[8:]
	}
	r.seq = core.Seq{Millis: uint64(millis), N: uint64(n)} //nolint:gosec // written from an uint64
	r.state, stored = state(stored[0]), stored[1:]
	for _, text := range [...]*string{&r.id, &r.user, &r.app, &r.lane, &r.key} {
		before, after, ok := cutText(stored)
		if !ok {
			return record{}, errDamaged
		}
		*text, stored = string(before), after
	}
	r.entry = stored
	return r, nil
}

// change returns the change in the record. It shares no memory with the file.
func (r *record) change() core.EncodedChange {
	return core.EncodedChange{
		Seq: r.seq, Order: r.order, Revision: r.revision, Attempts: int(r.attempts), UpdatedAt: timeOf(r.updated),
		Entry: append([]byte{}, r.entry...),
	}
}

func appendNumber(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n)) //nolint:gosec // read back as it was
}

// number reads a number, 0 if there is none.
func number(stored []byte) int64 {
	if len(stored) < 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(stored)) //nolint:gosec // written from an int64
}

// appendText appends a text and its length.
func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// cutText splits off a text that appendText wrote.
func cutText(stored []byte) (text, rest []byte, ok bool) {
	size, n := binary.Uvarint(stored)
	if n <= 0 || size > uint64(len(stored)-n) { //nolint:gosec // not negative
		return nil, nil, false
	}
	return stored[n : n+int(size)], stored[n+int(size):], true //nolint:gosec // less than the length
}

// orderSize is the length of the key of an Order.
const orderSize = 8

// orderKey is the key of an Order. None is negative, so keys sort as Orders do.
func orderKey(order int64) []byte { return appendNumber(make([]byte, 0, orderSize), order) }

// hashOf returns a key that is shorter than the texts that it stands for. It is as long
// as it has to be so that no sender can find texts that have the same one.
func hashOf(parts ...string) []byte {
	sum := sha256.Sum256(join(parts...))
	return sum[:16]
}

// nanos is a time as it is stored; 0 is the zero time, and all before 1970.
func nanos(t time.Time) int64 {
	if t.Unix() <= 0 {
		return 0
	}
	return t.UnixNano()
}

func timeOf(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}

// join returns a key of several parts.
func join(parts ...string) []byte {
	size := len(parts) + 16
	for _, part := range parts {
		size += len(part)
	}
	key := make([]byte, 0, size)
	for i, part := range parts {
		if i > 0 {
			key = append(key, 0)
		}
		key = append(key, part...)
	}
	return key
}
