package throttle

// Remembered returns how much is remembered.
func (t *Throttle) Remembered() (pairs, addresses, users int) {
	return t.pairs.size(), t.addresses.size(), t.users.size()
}

func (m *memory[V]) size() int { return len(m.young) + len(m.older) }
