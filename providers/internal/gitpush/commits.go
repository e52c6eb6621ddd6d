package gitpush

import "slices"

// MaxCommits is how many commit ids of a push are kept, the newest.
const MaxCommits = 256

// Commits collects the ids of the commits of a push, from the oldest to the
// newest. It keeps the last [MaxCommits]. The zero value is empty.
type Commits struct {
	digits []byte // of all ids, one after the other
	length int    // of an id; all ids of a repository are of the same length
	next   int    // number of the oldest id, once there are MaxCommits
}

// Add adds the id of a commit; anything else is ignored.
func (c *Commits) Add(id []byte) {
	if len(id) != 40 && len(id) != 64 || c.length != 0 && len(id) != c.length {
		return
	}
	zero := true
	for _, b := range id {
		switch {
		case '0' <= b && b <= '9', 'a' <= b && b <= 'f', 'A' <= b && b <= 'F':
			zero = zero && b == '0'
		default:
			return
		}
	}
	if zero {
		return // the id that means no commit
	}
	c.length = len(id)
	at := c.place()
	for i, b := range id {
		if b > '9' {
			b |= 0x20 // lower case
		}
		at[i] = b
	}
}

// place returns the place of the next id.
func (c *Commits) place() []byte {
	start := len(c.digits)
	switch n := c.number(); {
	case n == MaxCommits:
		start = c.next * c.length
		c.next = (c.next + 1) % MaxCommits
	case start+c.length > cap(c.digits):
		c.digits = append(make([]byte, 0, max(3, 4*n)*c.length), c.digits...)
		fallthrough
	default:
		c.digits = c.digits[:start+c.length]
	}
	return c.digits[start : start+c.length]
}

func (c *Commits) number() int {
	if c.length == 0 {
		return 0
	}
	return len(c.digits) / c.length
}

// List returns first, without empty and repeated ids, and then the other
// collected ids from the newest to the oldest; at most [MaxCommits] in all.
func (c *Commits) List(first ...string) []string {
	n := c.number()
	list := make([]string, 0, min(len(first)+n, MaxCommits))
	for _, id := range first {
		if id != "" && !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	first = list
	all := string(c.digits) // all ids are parts of one string
	for i := range n {
		start := (c.next + n - 1 - i) % n * c.length
		if id := all[start : start+c.length]; len(list) < MaxCommits && !slices.Contains(first, id) {
			list = append(list, id)
		}
	}
	return list
}
