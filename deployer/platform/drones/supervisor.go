package drones

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/drones/group"
)

// collectEvery is how often orphaned zombies are looked for.
const collectEvery = 30 * time.Second

// ErrUnknown says that the Supervisor has no such app: it was never started,
// or it was halted.
var ErrUnknown = errors.New("drones: app not running")

// ErrClosed says that the Supervisor was not started, or was stopped.
var ErrClosed = errors.New("drones: not started")

// Supervisor runs apps. It may be used by several goroutines at once; calls
// that change the same app wait for each other.
type Supervisor struct {
	o     Options
	store store
	ports ports
	boots chan struct{} // a place for each drone that may boot at once

	cgroups *group.Cgroups // nil: there are none

	ctx       context.Context // from Start to Stop
	cancel    context.CancelFunc
	hurry     context.Context // ends when Stop may wait no longer
	hurryNow  context.CancelFunc
	collector sync.WaitGroup
	lock      *os.File
	notifying sync.Mutex

	mu   sync.RWMutex
	apps map[string]*application // by key
	open bool                    // between Start and Stop
}

// New returns a Supervisor that runs nothing yet.
func New(o Options) *Supervisor {
	o = o.withDefaults()
	return &Supervisor{
		o: o, store: store{path: filepath.Join(o.Dir, "state.json")},
		ports: ports{first: o.FirstPort, last: o.LastPort, used: map[int]bool{}},
		boots: make(chan struct{}, max(2, runtime.NumCPU())),
		apps:  map[string]*application{},
	}
}

// Start ends what a former server left behind and then starts again what ran,
// without waiting for it to be ready: until then [Supervisor.Pick] finds
// nothing. It fails where the folder can't be used, as when another server
// uses it. ctx is for Start alone.
func (s *Supervisor) Start(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return errors.Join(err, s.unlock())
	}
	hurry, cancel := context.WithTimeout(ctx, s.o.Grace)
	defer cancel()
	if err := group.EndAll(hurry, s.leftovers); err != nil {
		return errors.Join(fmt.Errorf("drones: ending what a former server left: %w", err), s.unlock())
	}
	s.openCgroups(ctx)
	life := context.WithoutCancel(ctx)
	s.ctx, s.cancel = context.WithCancel(life)
	s.hurry, s.hurryNow = context.WithCancel(life)
	var runs []run
	s.store.read(func(c content) { runs = slices.Collect(maps.Values(c.Running)) })
	s.mu.Lock()
	s.open = true
	s.mu.Unlock()
	for _, r := range runs {
		a := s.app(r.User, r.App)
		g := a.newGeneration(r)
		a.mu.Lock()
		a.current, a.crash = g, r.Crash
		a.mu.Unlock()
		a.tell()
		g.hold()
	}
	s.collector.Go(s.collect)
	return nil
}

// leftovers returns the processes that a former server left: with the mark, and
// without it those of the apps' own users.
func (s *Supervisor) leftovers() ([]int, error) {
	pids, err := group.Find(s.Mark())
	if err != nil || !s.OwnUsers() {
		return pids, err
	}
	var users []uint32
	s.store.read(func(c content) { users = slices.Collect(maps.Values(c.Users)) })
	hidden, err := group.FindUnmarked(users...)
	return append(pids, hidden...), err
}

// openCgroups finds out whether drones can have control groups.
func (s *Supervisor) openCgroups(ctx context.Context) {
	cgroups, err := group.OpenCgroups(ctx)
	if err != nil {
		s.o.Logger.Info("apps have no control groups", "reason", err)
		return
	}
	s.cgroups = cgroups
	if err := cgroups.Sweep(s.Mark()); err != nil {
		s.o.Logger.Warn("control groups are left", "error", err)
	}
	s.o.Logger.Info("apps have control groups", "dir", cgroups.Dir())
}

// prepare makes the folder ready for use.
func (s *Supervisor) prepare(ctx context.Context) error {
	if !filepath.IsAbs(s.o.Dir) {
		return fmt.Errorf("drones: the folder %q must be an absolute path", s.o.Dir)
	}
	if err := passable(s.o.Dir); err != nil {
		return fmt.Errorf("drones: making the folder: %w", err)
	}
	var err error
	s.lock, err = os.OpenFile(filepath.Join(s.o.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("drones: opening the lock: %w", err)
	}
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { //nolint:gosec // a descriptor fits
		return fmt.Errorf("drones: the folder %s is in use by another server: %w", s.o.Dir, err)
	}
	if err := s.store.load(); err != nil {
		return fmt.Errorf("drones: reading the state: %w", err)
	}
	if s.OwnUsers() {
		if err := s.reachable(ctx, s.o.Dir, credential(s.o.FirstUID)); err != nil {
			return err
		}
	}
	return group.Adopt()
}

func (s *Supervisor) unlock() error {
	if s.lock == nil {
		return nil
	}
	// Closing alone is not enough: a child that another goroutine has just
	// forked has the lock too, until it becomes its program.
	err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_UN) //nolint:gosec // a descriptor fits
	err = errors.Join(err, s.lock.Close())
	s.lock = nil
	return err
}

// Stop ends all drones: no new request, then SIGTERM when the requests have
// ended or had their grace time, then after another or when ctx ends SIGKILL.
// What ran is still written down, so that the next Start runs it again. No
// process is left when it returns.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.mu.Lock()
	wasOpen := s.open
	s.open = false
	apps := slices.Collect(maps.Values(s.apps))
	s.mu.Unlock()
	if !wasOpen {
		return nil
	}
	s.cancel() // ends each launch, so that the turns come soon
	defer context.AfterFunc(ctx, s.hurryNow)()
	var wg sync.WaitGroup
	failures := make([]error, len(apps))
	for i, a := range apps {
		wg.Go(func() {
			a.turn <- struct{}{}
			defer a.release()
			failures[i] = a.halt(s.hurry, false)
		})
	}
	wg.Wait()
	s.collector.Wait()
	s.hurryNow()
	for i, a := range apps {
		failures[i] = errors.Join(failures[i], a.journal.close())
	}
	return errors.Join(errors.Join(failures...), s.unlock())
}

// Switch starts the drones of spec, waits until all accept connections, moves
// the traffic to them at once and lets the old ones, if there are any, finish
// what they have. It returns when the traffic has moved. Where a new drone
// ends or doesn't listen in time it fails with a [StartError] and the old
// ones go on serving; so they do where ctx ends.
func (s *Supervisor) Switch(ctx context.Context, spec Spec) error {
	if err := spec.check(); err != nil {
		return err
	}
	return s.change(ctx, spec.User, spec.App, func(a *application) error { return a.switchTo(ctx, spec) })
}

// Restart switches to new drones of what runs, or of what crashed and was
// given up; [ErrUnknown] where the app was not started.
func (s *Supervisor) Restart(ctx context.Context, user, app string) error {
	return s.change(ctx, user, app, func(a *application) error {
		a.mu.Lock()
		current := a.current
		a.mu.Unlock()
		if current == nil {
			return ErrUnknown
		}
		return a.switchTo(ctx, current.spec)
	})
}

// Halt ends the app's drones and forgets what ran; it returns when no process
// is left. When ctx ends, they are killed at once. Halting an app that doesn't
// run is no error.
func (s *Supervisor) Halt(ctx context.Context, user, app string) error {
	return s.change(ctx, user, app, func(a *application) error {
		return errors.Join(a.halt(ctx, true), a.sweep(context.WithoutCancel(ctx)))
	})
}

// Destroy halts the app and removes its logs, its home and its user.
func (s *Supervisor) Destroy(ctx context.Context, user, app string) error {
	return s.change(ctx, user, app, func(a *application) error {
		err := errors.Join(a.halt(ctx, true), a.sweep(context.WithoutCancel(ctx)), a.journal.close(),
			os.RemoveAll(a.journal.dir), os.RemoveAll(s.around(user, app)))
		if err != nil {
			return fmt.Errorf("drones: destroying the app: %w", err)
		}
		return s.store.update(func(c *content) { delete(c.Users, key(user, app)) })
	})
}

// change runs do while it holds the app's turn.
func (s *Supervisor) change(ctx context.Context, user, app string, do func(*application) error) error {
	if !core.ValidName(user) || !core.ValidName(app) {
		return fmt.Errorf("drones: %q is no name of an app", key(user, app))
	}
	a := s.app(user, app)
	if err := a.take(ctx); err != nil {
		return err
	}
	defer a.release()
	s.mu.RLock()
	open := s.open
	s.mu.RUnlock()
	if !open {
		return ErrClosed
	}
	return do(a)
}

// State returns how the app stands; Phase is [Stopped] where it is unknown.
func (s *Supervisor) State(user, app string) State {
	a := s.known(user, app)
	if a == nil {
		return State{User: user, App: app, Phase: Stopped}
	}
	return a.tell()
}

// Pick returns the address, host:port, of the app's drone with the fewest
// requests in flight; done must be called when the request has ended. ok is
// false where no drone is ready.
func (s *Supervisor) Pick(user, app string) (addr string, done func(), ok bool) {
	a := s.known(user, app)
	if a == nil {
		return "", nil, false
	}
	return a.pick()
}

// Mark returns what begins the mark of each drone, from Start on. What else
// carries it, such as a build, is ended with the drones that a server left
// behind which was killed.
func (s *Supervisor) Mark() string { return s.instance() + "." }

// Group starts a command that is no drone as drones are: in a control group
// with these limits, where there are any. It is for builds, from Start on.
func (s *Supervisor) Group(cmd *exec.Cmd, mark string, limits group.Limits) (*group.Group, error) {
	return s.cgroups.Start(cmd, mark, limits)
}

// Logs returns the app's last lines, oldest first, those of former drones and
// snapshots among them.
func (s *Supervisor) Logs(user, app string, lines int) ([]Line, error) {
	return s.LogsBetween(user, app, time.Time{}, time.Time{}, lines)
}

// LogsBetween returns the app's last rows lines that were written from `from`
// until `until`, both included, oldest first; a zero time is no bound. It
// returns no more than 8 MiB of text, the latest.
func (s *Supervisor) LogsBetween(user, app string, from, until time.Time, rows int) ([]Line, error) {
	if !core.ValidName(user) || !core.ValidName(app) {
		return nil, nil
	}
	if a := s.known(user, app); a != nil {
		return a.journal.last(from, until, rows)
	}
	return (&journal{dir: s.logs(user, app)}).last(from, until, rows)
}

// collect takes in the zombies that live drones leave to us, until Stop.
func (s *Supervisor) collect() {
	ticker := time.NewTicker(collectEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.ctx.Done():
			return
		}
		s.mu.RLock()
		apps := slices.Collect(maps.Values(s.apps))
		s.mu.RUnlock()
		for _, a := range apps {
			for _, d := range a.ready() {
				_, _ = d.group.Members() // collects; what it returns is not asked for
			}
		}
		_ = group.Collect() // there is another time
	}
}

// app returns the app, making it where it is new.
func (s *Supervisor) app(user, name string) *application {
	if a := s.known(user, name); a != nil {
		return a
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[key(user, name)]
	if a == nil {
		a = &application{
			supervisor: s, user: user, name: name,
			turn: make(chan struct{}, 1), boots: make(chan struct{}, 1), late: make(chan struct{}),
			journal: &journal{dir: s.logs(user, name), limit: journalFile},
			told:    State{User: user, App: name, Phase: Stopped},
		}
		s.apps[key(user, name)] = a
	}
	return a
}

// known returns the app, or nil.
func (s *Supervisor) known(user, name string) *application {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.apps[key(user, name)]
}

// logs is the folder of an app's log.
func (s *Supervisor) logs(user, app string) string {
	return filepath.Join(s.o.Dir, "logs", user, app)
}

func key(user, app string) string { return user + "/" + app }

func (s *Supervisor) instance() (instance string) {
	s.store.read(func(c content) { instance = c.Instance })
	return instance
}

func (s *Supervisor) uid(a *application) (uid uint32, ok bool) {
	s.store.read(func(c content) { uid, ok = c.Users[key(a.user, a.name)] })
	return uid, ok
}

// remember writes down what runs; nil for nothing.
func (s *Supervisor) remember(a *application, r *run) error {
	err := s.store.update(func(c *content) {
		if r == nil {
			delete(c.Running, key(a.user, a.name))
		} else {
			c.Running[key(a.user, a.name)] = *r
		}
	})
	if err != nil {
		return fmt.Errorf("drones: writing the state: %w", err)
	}
	return nil
}
