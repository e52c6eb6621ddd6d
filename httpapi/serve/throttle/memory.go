package throttle

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// name identifies something that is remembered. All names have the same length,
// however long what a client sends is, and no credentials can be read from one.
type name [16]byte

// MarshalText returns hexadecimal digits.
func (n name) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, n[:]), nil }

// UnmarshalText reads hexadecimal digits.
func (n *name) UnmarshalText(text []byte) error {
	if len(text) != 2*len(n) {
		return hex.ErrLength
	}
	_, err := hex.Decode(n[:], text)
	return err
}

// namer is the key that names are made with.
type namer [sha256.Size]byte

func newNamer() (n namer) {
	_, _ = rand.Read(n[:]) // never fails, or ends the process
	return n
}

func (n namer) name(parts ...string) (found name) {
	h := hmac.New(sha256.New, n[:])
	for _, part := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	copy(found[:], h.Sum(nil))
	return found
}

// memory keeps the values that were used last, by name: when the younger half
// is full it becomes the older one, and the previous older half is forgotten.
type memory[V any] struct {
	half         int
	young, older map[name]*V
}

func newMemory[V any](size int) memory[V] {
	return memory[V]{half: max(size/2, 1), young: map[name]*V{}, older: map[name]*V{}}
}

// find returns the value of a name, nil if it is not remembered.
func (m *memory[V]) find(key name) *V {
	if v := m.young[key]; v != nil {
		return v
	}
	if m.older[key] == nil {
		return nil
	}
	return m.get(key)
}

// get returns the value of a name, a new one if it is not remembered.
func (m *memory[V]) get(key name) *V {
	if v := m.young[key]; v != nil {
		return v
	}
	v := m.older[key]
	if v == nil {
		v = new(V)
	}
	if len(m.young) >= m.half {
		m.young, m.older = map[name]*V{}, m.young
	}
	m.young[key] = v
	return v
}

func (m *memory[V]) forget(key name) {
	delete(m.young, key)
	delete(m.older, key)
}

// all calls do for each value.
func (m *memory[V]) all(do func(name, *V)) {
	for key, v := range m.older {
		if m.young[key] == nil {
			do(key, v)
		}
	}
	for key, v := range m.young {
		do(key, v)
	}
}
