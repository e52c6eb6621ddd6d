package throttle

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// name is what something is remembered by: as long for all, however long what
// somebody sends is, and of credentials nothing that could be read.
type name [sha256.Size]byte

// names makes names, by a key of this process.
type names [sha256.Size]byte

func newNames() (n names) {
	_, _ = rand.Read(n[:]) // never fails, or ends the process
	return n
}

func (n names) of(parts ...string) (found name) {
	h := hmac.New(sha256.New, n[:])
	for _, part := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	h.Sum(found[:0])
	return found
}

// memory keeps values by name, those that were used last: when the younger half
// is full it becomes the older one, and what is in that then is forgotten.
type memory[V any] struct {
	half         int
	young, older map[name]*V
}

func newMemory[V any](size int) memory[V] {
	return memory[V]{half: max(size/2, 1), young: map[name]*V{}, older: map[name]*V{}}
}

// find returns the value of a name; nil where it is not known.
func (m *memory[V]) find(of name) *V {
	if v := m.young[of]; v != nil {
		return v
	}
	if m.older[of] == nil {
		return nil
	}
	return m.of(of)
}

// of returns the value of a name, a new one where it is not known.
func (m *memory[V]) of(of name) *V {
	if v := m.young[of]; v != nil {
		return v
	}
	v := m.older[of]
	if v == nil {
		v = new(V)
	}
	if len(m.young) >= m.half {
		m.young, m.older = map[name]*V{}, m.young
	}
	m.young[of] = v
	return v
}

func (m *memory[V]) forget(of name) {
	delete(m.young, of)
	delete(m.older, of)
}
