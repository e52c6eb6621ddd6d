// Package commands keeps the commands of an app that run once, so that they are ended
// with it.
package commands

import (
	"context"
	"sync"

	"github.com/nodejitsu/webhooks/core"
)

// Set has the commands of an app that run. Its zero value has none. It is safe for
// concurrent use.
type Set struct {
	mu      sync.Mutex
	ending  int // calls of End that have not been released
	next    int
	cancels map[int]context.CancelFunc
	running sync.WaitGroup
}

// Begin returns a context for a command, which End cancels. It fails with
// [core.CodePlatformBusy] while the commands are being ended. done must be called when
// nothing of the command is left.
func (s *Set) Begin(ctx context.Context) (ended context.Context, done context.CancelFunc, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending > 0 {
		return nil, nil, core.Errorf(core.CodePlatformBusy, "the app is being stopped; try again in a moment")
	}
	ctx, cancel := context.WithCancel(ctx)
	if s.cancels == nil {
		s.cancels = map[int]context.CancelFunc{}
	}
	s.next++
	id := s.next
	s.cancels[id] = cancel
	s.running.Add(1)
	return ctx, sync.OnceFunc(func() {
		cancel()
		s.mu.Lock()
		delete(s.cancels, id)
		s.mu.Unlock()
		s.running.Done()
	}), nil
}

// End ends all commands and waits for them. No command begins until release is
// called.
func (s *Set) End() (release func()) {
	s.mu.Lock()
	s.ending++
	for _, cancel := range s.cancels {
		cancel()
	}
	s.mu.Unlock()
	s.running.Wait()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ending--
	}
}
