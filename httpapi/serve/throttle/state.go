package throttle

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// saveAfter is how old a saved time may become before it is saved anew.
const saveAfter = time.Hour

// state is what is saved: the key of the names, and which pairs and which
// unguessable credentials were right recently, with the Unix time in seconds.
type state struct {
	Key         []byte         `json:"key"`
	Pairs       map[name]int64 `json:"pairs"`
	Credentials map[name]int64 `json:"credentials"`
}

// noteChange notes that something was right now, and the last time before that.
func (t *Throttle) noteChange(last, now time.Time) {
	t.changed = t.changed || now.Sub(last) >= saveAfter
}

// Changed reports whether what [Throttle.Save] returns has changed since the
// last call of it.
func (t *Throttle) Changed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

// Save returns who was right recently, for [Throttle.Restore]. Users, addresses
// and credentials can't be read from it: they are hashed with a key. As the key
// is part of it, it must be kept where others can't read it.
func (t *Throttle) Save() ([]byte, error) {
	t.mu.Lock()
	s := state{Key: t.namer[:], Pairs: map[name]int64{}, Credentials: map[name]int64{}}
	now := t.o.Now()
	t.pairs.all(func(key name, p *pair) {
		if recent(p.passed, now) {
			s.Pairs[key] = p.passed.Unix()
		}
	})
	t.right.all(func(key name, at *time.Time) {
		if recent(*at, now) {
			s.Credentials[key] = at.Unix()
		}
	})
	t.changed = false
	t.mu.Unlock()
	return json.Marshal(s)
}

// Restore makes t remember what Save returned, and forget everything else. It
// is to be called before t is used.
func (t *Throttle) Restore(saved []byte) error {
	var s state
	if err := json.Unmarshal(saved, &s); err != nil {
		return fmt.Errorf("throttle: restoring: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(s.Key) != len(t.namer) {
		return errors.New("throttle: restoring: invalid key")
	}
	t.namer = namer(s.Key)
	for key, at := range s.Pairs {
		t.pairs.get(key).passed = time.Unix(at, 0)
	}
	for key, at := range s.Credentials {
		*t.right.get(key) = time.Unix(at, 0)
	}
	return nil
}
