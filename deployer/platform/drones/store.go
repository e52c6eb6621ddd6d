package drones

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/nodejitsu/webhooks/core/atomicfile"
)

// store is what outlives the server: which apps run, and which user each has.
// It is one file, replaced as a whole.
type store struct {
	path string

	mu      sync.Mutex
	content content
}

type content struct {
	Instance string            `json:"instance"`  // begins the mark of each drone
	Users    map[string]uint32 `json:"users"`     // by key: the uid, also the gid
	LastUser uint32            `json:"last_user"` // that was given
	Running  map[string]run    `json:"running"`   // by key
}

// run is what is written down of an app that runs.
type run struct {
	Spec
	Former *Spec `json:"former,omitempty"` // what ran before, while this is on trial
	Crash  Crash `json:"crash,omitzero"`   // of the version that this one replaced, where that fell
}

// load reads the file, or begins one.
func (s *store) load() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.content = content{}
	text, err := os.ReadFile(s.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		s.content.Instance = rand.Text()
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(text, &s.content); err != nil {
			return fmt.Errorf("%s is damaged: %w", s.path, err)
		}
	}
	if s.content.Users == nil {
		s.content.Users = map[string]uint32{}
	}
	if s.content.Running == nil {
		s.content.Running = map[string]run{}
	}
	return s.save()
}

// update changes the content and writes it down; where that fails the content
// in memory is changed all the same, and written with the next update.
func (s *store) update(change func(*content)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.content)
	return s.save()
}

func (s *store) read(look func(content)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	look(s.content)
}

func (s *store) save() error {
	text, err := json.Marshal(s.content)
	if err != nil {
		return err
	}
	return atomicfile.Write(s.path, text, 0o600)
}
