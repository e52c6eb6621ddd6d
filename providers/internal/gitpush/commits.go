package gitpush

import (
	"bytes"
	"slices"
	"strings"
)

// MaxCommits is how many commit ids of a push are kept, the newest.
const MaxCommits = 256

// Commits collects the ids of the commits of a push, from the oldest to the
// newest. It keeps the last [MaxCommits]. The zero value is empty.
type Commits struct {
	ids  []id
	next int // in ids, once it is full
}

// id is the id of a commit: digits[:n].
type id struct {
	digits [64]byte
	n      int
}

// Add adds the id of a commit; anything else is ignored.
func (c *Commits) Add(text []byte) {
	if len(text) != 40 && len(text) != 64 {
		return
	}
	var add id
	add.n = copy(add.digits[:], text)
	for i, b := range add.digits[:add.n] {
		switch {
		case '0' <= b && b <= '9', 'a' <= b && b <= 'f':
		case 'A' <= b && b <= 'F':
			add.digits[i] = b | 0x20
		default:
			return
		}
	}
	switch {
	case len(bytes.Trim(add.digits[:add.n], "0")) == 0: // means no commit
	case c.ids == nil:
		c.ids = append(make([]id, 0, 32), add)
	case len(c.ids) < MaxCommits:
		c.ids = append(c.ids, add)
	default:
		c.ids[c.next] = add
		c.next = (c.next + 1) % MaxCommits
	}
}

// List returns first, without empty and repeated ids, and then the other
// collected ids from the newest to the oldest; at most [MaxCommits] in all.
func (c *Commits) List(first ...string) []string {
	n := len(c.ids)
	list := make([]string, 0, min(len(first)+n, MaxCommits))
	for _, id := range first {
		if id != "" && !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	first = list
	var all strings.Builder // one string for all ids, which are parts of it
	all.Grow(n * len(id{}.digits))
	for i := range n {
		newest := &c.ids[(c.next+n-1-i)%n]
		start := all.Len()
		all.Write(newest.digits[:newest.n])
		if id := all.String()[start:]; len(list) < MaxCommits && !slices.Contains(first, id) {
			list = append(list, id)
		}
	}
	return list
}
