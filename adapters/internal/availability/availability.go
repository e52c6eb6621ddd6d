// Package availability records whether a store can be used, and logs outages: one
// line when an outage begins, one a minute while it lasts, with the number of
// calls that failed, and one when it ends.
package availability

import (
	"log/slog"
	"sync"
	"time"
)

// every is the time between two lines about the same outage.
const every = time.Minute

// State is whether there is an outage, and why. It logs when that changes. It may be
// used concurrently. Its fields must be set before use.
type State struct {
	Logger *slog.Logger
	// Minor makes the lines about an outage warnings instead of errors.
	Minor bool
	// The messages when an outage begins, while it lasts and when it ends.
	Begins, Lasts, Ends string
	Attrs               []any // of every line

	mu     sync.Mutex
	err    error     // nil: there is no outage
	since  time.Time // when the outage began
	last   time.Time // when it was noticed last
	logged time.Time // when the last line was logged
	failed int       // calls that failed in this outage
}

// Begin records that there is an outage, and reports whether there was none
// before.
func (s *State) Begin(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := s.err == nil
	s.err = err
	now := time.Now()
	s.last = now
	switch {
	case began:
		s.since, s.logged, s.failed = now, now, 0
		s.log(s.Begins, append([]any{"error", err}, s.Attrs...)...)
	case now.Sub(s.logged) >= every:
		s.logged = now
		s.log(s.Lasts, append([]any{"error", err, "lasts", s.lasts(now), "failed_calls", s.failed}, s.Attrs...)...)
	}
	return began
}

func (s *State) log(message string, attrs ...any) {
	if s.Minor {
		s.Logger.Warn(message, attrs...)
	} else {
		s.Logger.Error(message, attrs...)
	}
}

// Fail counts a call that failed because of the outage, and returns why there
// is one. It returns nil, and counts nothing, if there is none.
func (s *State) Fail() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		s.failed++
	}
	return s.err
}

// Err returns why there is an outage, and nil if there is none.
func (s *State) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// End records that there is no outage any more, and reports whether there was
// one.
func (s *State) End() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return false
	}
	s.err = nil
	s.Logger.Info(s.Ends, append([]any{"lasted", s.lasts(time.Now()), "failed_calls", s.failed}, s.Attrs...)...)
	return true
}

// EndAfter is End if the outage was not noticed for d.
func (s *State) EndAfter(d time.Duration) {
	s.mu.Lock()
	over := s.err != nil && time.Since(s.last) >= d
	s.mu.Unlock()
	if over {
		s.End()
	}
}

func (s *State) lasts(now time.Time) string {
	return now.Sub(s.since).Round(100 * time.Millisecond).String()
}
