package status

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Options configure a Service. Log and Feed are required; all others have
// defaults.
type Options struct {
	Log  Log
	Feed Feed

	Window      int           // changes kept in memory for a user who has readers; 1024
	WindowBytes int           // bytes of them; 4 MiB
	MaxLag      int           // changes that a reader may fall behind before it is cut off; 10,000
	Batch       int           // changes read from the store, and returned to a reader, at a time; 100
	BatchBytes  int           // bytes of them that are returned to a reader, or one change; 256 KiB
	CatchUps    int           // readers that read from the store at the same time; 16
	Look        time.Duration // after which the log is read even without a wake-up; 3 s
	GiveUp      time.Duration // how long a store may fail until its readers fail; 30 s
	Timeout     time.Duration // for one call of the store; 5 s

	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	orDefault(&o.Window, 1024)
	orDefault(&o.WindowBytes, 4<<20)
	orDefault(&o.MaxLag, 10_000)
	orDefault(&o.Batch, 100)
	orDefault(&o.BatchBytes, 256<<10)
	orDefault(&o.CatchUps, 16)
	orDefault(&o.Look, 3*time.Second)
	orDefault(&o.GiveUp, 30*time.Second)
	orDefault(&o.Timeout, 5*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func orDefault[T int | time.Duration](value *T, fallback T) {
	if *value <= 0 {
		*value = fallback
	}
}

// Service reads entries and their changes. It may be used concurrently.
// List and Entry work without Start; Subscribe needs it.
type Service struct {
	o        Options
	catchUps chan struct{} // has a token for each reader that reads from the store

	mu        sync.Mutex
	ctx       context.Context // of the followers; nil while not started
	cancel    context.CancelFunc
	followers map[string]*follower // by user; those that have readers
	running   sync.WaitGroup
}

// New returns a Service.
func New(o Options) *Service {
	o = o.withDefaults()
	return &Service{o: o, catchUps: make(chan struct{}, o.CatchUps), followers: map[string]*follower{}}
}

// Start allows readers. Only the values of ctx are used; it may end.
func (s *Service) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	}
	return nil
}

// Stop ends all readers with [core.CodeHTTPUnavailable] and waits for their
// goroutines, or for the end of ctx. It may be called without Start, and again.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	if s.cancel != nil {
		s.cancel()
	}
	s.ctx = nil
	s.mu.Unlock()

	done := make(chan struct{})
	go func() { // ends with the followers, which end with their context
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// List returns the user's entries, newest first, only those of app unless that
// is "", after skipping skip, at most limit; and how many there are in total. It
// fails with [core.CodeStatusNotFound] if app has none, and with
// [core.CodeStatusQueryFail].
func (s *Service) List(ctx context.Context, user, app string, skip, limit int) (page []core.Entry, total int, err error) {
	if app != "" && !core.ValidName(app) {
		return nil, 0, core.NewError(core.CodeStatusNotFound, "", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	page, total, err = s.o.Log.Entries(ctx, user, app, skip, limit)
	switch {
	case err != nil:
		return nil, 0, core.NewError(core.CodeStatusQueryFail, "", err)
	case total == 0 && app != "":
		return nil, 0, core.NewError(core.CodeStatusNotFound, "", nil)
	}
	return page, total, nil
}

// Entry returns the newest change of one of the user's entries. It fails with
// [core.CodeStatusNotFound] and with [core.CodeStatusGetByID].
func (s *Service) Entry(ctx context.Context, user, id string) (core.Change, error) {
	if !core.ValidID(id) {
		return core.Change{}, core.NewError(core.CodeStatusNotFound, "", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	change, err := s.o.Log.Entry(ctx, user, id)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return core.Change{}, core.NewError(core.CodeStatusNotFound, "", err)
	case err != nil:
		return core.Change{}, core.NewError(core.CodeStatusGetByID, "", err)
	}
	return change, nil
}

// Payload returns the payload of one of the user's entries as it was received. It
// fails with [core.CodeStatusNotFound], also if the payload is no longer kept, and
// with [core.CodeStatusGetByID].
func (s *Service) Payload(ctx context.Context, user, id string) ([]byte, error) {
	if _, err := s.Entry(ctx, user, id); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	payload, err := s.o.Log.Payload(ctx, id)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return nil, core.NewError(core.CodeStatusNotFound, "", err)
	case err != nil:
		return nil, core.NewError(core.CodeStatusGetByID, "", err)
	}
	return payload, nil
}
