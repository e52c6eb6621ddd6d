package processes

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"

	"github.com/nodejitsu/webhooks/core/atomicfile"
)

// store is the persistent state: the user of each app. It is a single file that is
// replaced as a whole.
type store struct {
	path string

	mu      sync.Mutex
	content content
}

type content struct {
	Instance string            `json:"instance"`  // prefix of the mark of each drone
	Users    map[string]uint32 `json:"users"`     // by key: the uid, which is also the gid
	LastUser uint32            `json:"last_user"` // the last one that was assigned
}

// load reads the file. If the file does not exist, load creates it with a new
// instance, so that the next server recognizes the processes of this one.
func (s *store) load() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.content = content{}
	text, err := os.ReadFile(s.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		s.content = content{Instance: rand.Text(), Users: map[string]uint32{}}
		return s.save(s.content)
	case err != nil:
		return err
	}
	if err := json.Unmarshal(text, &s.content); err != nil {
		return fmt.Errorf("%s is damaged: %w", s.path, err)
	}
	if s.content.Users == nil {
		s.content.Users = map[string]uint32{}
	}
	return nil
}

// update changes the content durably. If that fails, the content is not changed.
func (s *store) update(change func(*content)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.content
	next.Users = maps.Clone(next.Users)
	change(&next)
	if next.LastUser == s.content.LastUser && maps.Equal(next.Users, s.content.Users) {
		return nil
	}
	if err := s.save(next); err != nil {
		return err
	}
	s.content = next
	return nil
}

func (s *store) read(look func(content)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	look(s.content)
}

func (s *store) save(c content) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return atomicfile.Write(s.path, text, 0o600)
}
