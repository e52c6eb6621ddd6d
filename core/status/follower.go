package status

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// follower reads one user's log as it grows, for all the user's readers.
type follower struct {
	s      *Service
	user   string
	cancel context.CancelFunc

	readers int // guarded by s.mu

	mu     sync.Mutex
	begun  bool // the window has begun
	window window
	wake   chan struct{} // closed, and replaced, when readers should look
	err    error         // why the readers can't continue
}

// follow returns the user's follower, which has one more reader then.
func (s *Service) follow(user string) (*follower, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		return nil, core.NewError(core.CodeHTTPUnavailable, "", nil)
	}
	if f, ok := s.followers[user]; ok {
		f.readers++
		return f, nil
	}
	ctx, cancel := context.WithCancel(s.ctx)
	f := &follower{
		s: s, user: user, cancel: cancel, readers: 1, wake: make(chan struct{}),
		window: window{maxLines: s.o.Window, maxBytes: s.o.WindowBytes},
	}
	s.followers[user] = f
	s.running.Go(func() { f.run(ctx) })
	return f, nil
}

// leave removes a reader from f, and ends f with the last of them.
func (f *follower) leave() {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.readers--; f.readers == 0 {
		f.drop()
		f.cancel()
	}
}

// drop makes the user's next reader get a new follower. f.s.mu is held.
func (f *follower) drop() {
	if f.s.followers[f.user] == f {
		delete(f.s.followers, f.user)
	}
}

// run follows the log until ctx ends or the log cannot be followed.
func (f *follower) run(ctx context.Context) {
	err := f.watch(ctx)
	f.s.mu.Lock()
	f.drop()
	f.s.mu.Unlock()
	if ctx.Err() == nil {
		f.s.o.Logger.WarnContext(ctx, "feed ended", "user", f.user, "error", err)
	}
	f.cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	f.wakeReaders()
}

// watch follows the log and returns why it can't continue; never nil.
func (f *follower) watch(ctx context.Context) error {
	// The watch begins before the first look, so that no change is missed.
	woken, stop := f.s.o.Feed.Watch(f.user)
	defer stop()
	look := time.NewTicker(f.s.o.Look)
	defer look.Stop()
	well := time.Now()
	for {
		err := f.look(ctx)
		switch {
		case ctx.Err() != nil:
			return core.NewError(core.CodeHTTPUnavailable, "", context.Cause(ctx))
		case errors.Is(err, core.ErrGone):
			return fatal("the log was cut before it was read")
		case err == nil:
			well = time.Now()
		case time.Since(well) >= f.s.o.GiveUp:
			return core.NewError(core.CodeStatusQueryFail, "", err)
		}
		wake := woken
		if err != nil {
			wake = nil // a store that fails is not asked more often
		}
		select {
		case <-wake:
		case <-look.C:
		case <-ctx.Done():
		}
	}
}

// look brings the window up to the log's end.
func (f *follower) look(ctx context.Context) error {
	f.mu.Lock()
	begun, newest := f.begun, f.window.newest
	f.mu.Unlock()
	if !begun {
		return f.begin(ctx)
	}
	for {
		lines, err := f.s.lines(ctx, f.user, newest)
		if err != nil {
			return err
		}
		if len(lines) > 0 {
			newest = lines[len(lines)-1].Seq
			f.mu.Lock()
			f.window.add(lines)
			f.wakeReaders()
			f.mu.Unlock()
		}
		if len(lines) < f.s.o.Batch {
			return nil
		}
	}
}

// begin sets the window to the log's end.
func (f *follower) begin(ctx context.Context) error {
	_, newest, err := f.s.bounds(ctx, f.user)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun = true
	f.window.begin(newest)
	f.wakeReaders() // some may have looked before this
	return nil
}

// wakeReaders is called with f.mu held.
func (f *follower) wakeReaders() {
	close(f.wake)
	f.wake = make(chan struct{})
}

// bounds returns where the user's log begins and ends in the store.
func (s *Service) bounds(ctx context.Context, user string) (oldest, newest core.Seq, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	return s.o.Feed.Bounds(ctx, user)
}

// lines reads a batch from the store.
func (s *Service) lines(ctx context.Context, user string, since core.Seq) ([]core.Line, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	changes, err := s.o.Feed.Changes(ctx, user, since, s.o.Batch)
	if err != nil {
		return nil, err
	}
	lines := make([]core.Line, len(changes))
	for i, change := range changes {
		if lines[i], err = change.Line(); err != nil {
			return nil, fmt.Errorf("status: change %s: %w", change.Seq, err)
		}
	}
	return lines, nil
}
