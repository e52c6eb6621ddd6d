package bolt

import (
	"bytes"
	"encoding/binary"
)

// blockBits is the size of the blocks of counts: 1 << blockBits Orders. Any page of
// an index of n entries needs about n >> blockBits reads of counts and at most
// 1 << blockBits reads of keys.
const blockBits = 10

// putIndex adds an entry to the index of the user's app, "" for all.
func (t table) putIndex(user, app string, order int64) error {
	prefix := join(user, app, "")
	if err := t.put(bucketIndex, appendNumber(prefix, order), nil); err != nil {
		return err
	}
	return t.count(prefix, order, 1)
}

// deleteIndex removes what putIndex added.
func (t table) deleteIndex(user, app string, order int64) error {
	prefix := join(user, app, "")
	if err := t.delete(bucketIndex, appendNumber(prefix, order)); err != nil {
		return err
	}
	return t.count(prefix, order, -1)
}

func (t table) count(prefix []byte, order int64, by int) error {
	key := appendNumber(prefix, order>>blockBits)
	n := blockCount(t.get(bucketCounts, key)) + by
	if n <= 0 {
		return t.delete(bucketCounts, key)
	}
	return t.put(bucketCounts, key, binary.BigEndian.AppendUint32(nil, uint32(n))) //nolint:gosec // at most 1 << blockBits
}

func blockCount(value []byte) int {
	if len(value) < 4 {
		return 0
	}
	return int(binary.BigEndian.Uint32(value))
}

// page returns Orders of the index, highest first: limit after the first skip;
// and how many there are in all.
func (t table) page(user, app string, skip, limit int) (orders []int64, total int) {
	prefix := join(user, app, "")
	var from []byte // the first key after the page
	backward(t.bucket(bucketCounts).Cursor(), prefix, nil, func(key, value []byte) bool {
		n := blockCount(value)
		total += n
		switch {
		case from != nil:
		case n <= skip:
			skip -= n
		default:
			from = appendNumber(bytes.Clone(prefix), (number(key[len(prefix):])+1)<<blockBits)
		}
		return true
	})
	if from == nil || limit <= 0 {
		return nil, total
	}
	backward(t.bucket(bucketIndex).Cursor(), prefix, from, func(key, _ []byte) bool {
		if skip > 0 {
			skip--
			return true
		}
		orders = append(orders, number(key[len(prefix):]))
		return len(orders) < limit
	})
	return orders, total
}

// cursor is a cursor of a bucket.
type cursor interface {
	Seek(key []byte) (k, v []byte)
	Last() (k, v []byte)
	Prev() (k, v []byte)
}

// backward calls f with the keys that are prefix and a number, those before from,
// the highest first, until f returns false. A nil from is the end.
func backward(c cursor, prefix, from []byte, f func(key, value []byte) bool) {
	if from == nil {
		from = append(bytes.Clone(prefix[:len(prefix)-1]), 1) // prefix ends with a 0
	}
	previous := c.Prev
	if key, _ := c.Seek(from); key == nil {
		previous = c.Last
	}
	for key, value := previous(); bytes.HasPrefix(key, prefix); key, value = c.Prev() {
		// A name that contains a zero byte must not match another.
		if len(key) == len(prefix)+8 && !f(key, value) {
			return
		}
	}
}
