package apps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
)

// Options are the settings of [New]. DB, Seal, Snapshots, Runner and URL are
// required.
type Options struct {
	DB        *bbolt.DB
	Seal      *seal.Keys // seals environments
	Snapshots *snapshots.Store
	Runner    runner.Runner

	Domain string                        // subdomains are below it; default "localhost"
	URL    func(subdomain string) string // returns the URL of a subdomain

	Reserved []string // hosts that no app may have, in lower case

	Keep      int // snapshots of an app; default 10
	MaxDrones int // of an app; default 10
	Memory    int // MiB of a drone, if an app sets no limit; default 1024
	MaxMemory int // MiB that an app may set as its limit; default 4096, at least Memory

	MinReady       time.Duration // for which a new version must be up before it replaces the previous one; default 0
	ReleaseTimeout time.Duration // for a release command; default 10 minutes

	Trial  time.Duration                // for which a crash of a new version rolls back to the previous one; default 60 s
	Events func(*bbolt.Tx, Event) error // records an event in a transaction of DB; default: does nothing
	Built  func()                       // is called after each build; default: does nothing

	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: discards
}

// Apps is safe for concurrent use.
type Apps struct {
	o    Options
	docs *documents

	life    context.Context // until Close
	cancel  context.CancelFunc
	working sync.WaitGroup // background work

	mu       sync.Mutex
	closed   bool
	locks    map[string]locks     // by user/app
	current  map[string]string    // what runs, as the runner identifies it; by user/app
	trials   map[string]*trial    // by user/app
	reported map[string]time.Time // when a crash was reported; by user/app
	jobs     map[string]bool      // commands by the clock that are running; by user/app and command
}

// locks are the locks of an app, each for one caller at a time.
type locks struct {
	build ctxlock.Lock
	run   ctxlock.Lock // change what runs
}

// New returns Apps, and creates the buckets that are missing.
func New(o Options) (*Apps, error) {
	o.Domain = cmp.Or(o.Domain, "localhost")
	o.Keep = cmp.Or(o.Keep, 10)
	o.MaxDrones = cmp.Or(o.MaxDrones, 10)
	o.Memory = cmp.Or(o.Memory, 1024)
	o.MaxMemory = max(cmp.Or(o.MaxMemory, 4096), o.Memory)
	o.ReleaseTimeout = cmp.Or(o.ReleaseTimeout, 10*time.Minute)
	o.Trial = cmp.Or(o.Trial, time.Minute)
	if o.Events == nil {
		o.Events = func(*bbolt.Tx, Event) error { return nil }
	}
	if o.Built == nil {
		o.Built = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	docs, err := openDocuments(o)
	if err != nil {
		return nil, err
	}
	a := &Apps{
		o: o, docs: docs, locks: map[string]locks{}, current: map[string]string{},
		trials: map[string]*trial{}, reported: map[string]time.Time{}, jobs: map[string]bool{},
	}
	a.life, a.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // ends by Close
	return a, nil
}

// Close ends background work, such as a rollback of a crashed version. It must be
// called before the Runner stops.
func (a *Apps) Close() {
	a.mu.Lock()
	a.closed = true
	for _, t := range a.trials {
		t.timer.Stop()
	}
	a.mu.Unlock()
	a.cancel()
	a.working.Wait()
}

// background runs do in the background, unless Apps is closed.
func (a *Apps) background(do func(context.Context)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.working.Go(func() { do(a.life) })
	}
}

func key(user, app string) string { return user + "/" + app }

// locksOf returns the locks of an app.
func (a *Apps) locksOf(user, app string) locks {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.locks[key(user, app)]
	if !ok {
		l = locks{build: ctxlock.New(1), run: ctxlock.New(1)}
		a.locks[key(user, app)] = l
	}
	return l
}

// acquireRun acquires the run lock of an app, which must exist.
func (a *Apps) acquireRun(ctx context.Context, user, app string) (release func(), err error) {
	if _, err := a.docs.find(user, app); err != nil {
		return nil, err
	}
	lock := a.locksOf(user, app).run
	if err := lock.Acquire(ctx); err != nil {
		return nil, fmt.Errorf("apps: waiting for another change of the app: %w", err)
	}
	return lock.Release, nil
}

// wrapped adds what was being done to errors that are not refusals.
func wrapped(doing string, err error) error {
	if _, refused := errors.AsType[*core.Error](err); err == nil || refused {
		return err
	}
	return fmt.Errorf("apps: %s: %w", doing, err)
}

// checkName fails if name is not a valid name of an app or a snapshot.
func checkName(what, name string) error {
	if err := core.CheckName(what, name); err != nil {
		return core.Errorf(core.CodePlatformInvalid, "The request is invalid: %v", err)
	}
	return nil
}
