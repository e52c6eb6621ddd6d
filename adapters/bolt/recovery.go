package bolt

import (
	"context"
	"errors"
	"time"
)

// The pauses between two attempts to write again.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// awaitRecovery waits after a failed write until the disk accepts writes again, or
// until ctx ends. It reopens the file, because only that shows what is on the disk.
// Until then nothing is written, but the file can be read.
func (s *Store) awaitRecovery(ctx context.Context) {
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

// refuse fails writes that were queued before the outage was known, for a while. It
// returns false when ctx ends.
func (s *Store) refuse(ctx context.Context, while time.Duration) bool {
	until, cancel := context.WithTimeout(ctx, while)
	defer cancel()
	for {
		for _, w := range s.waiting.Take(maxGroup, maxGroupBytes) {
			w.fail(s.state.Err())
		}
		if s.waiting.Wait(until) != nil {
			return ctx.Err() == nil
		}
	}
}

// reopen reopens the file and writes to it. The claims remain valid: this process
// made them.
func (s *Store) reopen() error {
	s.opened.Lock()
	defer s.opened.Unlock()
	if err := errors.Join(s.close(), s.open()); err != nil {
		return err
	}
	return s.prepare()
}
