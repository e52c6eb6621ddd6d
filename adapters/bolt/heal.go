package bolt

import (
	"context"
	"errors"
	"time"
)

// The pauses between two tries to write again.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// heal waits until the disk takes writes again, after one that failed: it opens
// the file anew, as only that shows what is on the disk. Until then nothing is
// written, and what is in the file can be read. It returns when ctx ends, too.
func (s *Store) heal(ctx context.Context) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if !s.refuse(ctx, pause) {
			return
		}
		if err := s.reopen(); err != nil {
			s.state.Begin(err)
			continue
		}
		s.state.End()
		s.signal()
		return
	}
}

// refuse fails writes that were made before the outage was known, for a while. It
// returns false when ctx ends.
func (s *Store) refuse(ctx context.Context, while time.Duration) bool {
	timer := time.NewTimer(while)
	defer timer.Stop()
	for {
		for _, w := range s.waiting.Take(maxGroup, maxGroupBytes) {
			w.fail(s.state.Err())
		}
		select {
		case <-s.waiting.Wake():
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// reopen opens the file anew and writes to it. The claims stay: this process made
// them, and works under them.
func (s *Store) reopen() error {
	s.opened.Lock()
	defer s.opened.Unlock()
	if err := errors.Join(s.close(), s.open()); err != nil {
		return err
	}
	return s.prepare()
}
