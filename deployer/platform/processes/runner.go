package processes

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
	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/keeper"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// Runner runs apps as processes of this machine. It is safe for concurrent use;
// calls that change the same app wait for each other.
type Runner struct {
	o       Options
	store   store
	ports   ports
	suspect chan struct{} // size 1: a drone has refused a connection, check now
	boots   ctxlock.Lock  // limits the drones that boot at the same time

	cgroups *group.Cgroups // nil if unavailable

	ctx       context.Context // from Start to Stop
	cancel    context.CancelFunc
	hurry     context.Context // ends when Stop must not wait any longer
	hurryNow  context.CancelFunc
	running   sync.WaitGroup // of check and collect
	lock      *os.File
	notifying sync.Mutex

	mu      sync.RWMutex
	apps    map[string]*application // by key
	live    map[*drone]bool         // the drones that are ready
	clients map[*keeper.Client]bool // of all drones that have keepers
	found   map[string][]found      // by key: drones of an earlier server that are still to be taken over or ended
	open    bool                    // between Start and Stop

	started bool // Start has been called, so that there may be drones
}

var _ runner.Runner = (*Runner)(nil)

// New returns a Runner without any apps.
func New(o Options) *Runner {
	o = o.withDefaults()
	return &Runner{
		o: o, store: store{path: filepath.Join(o.Dir, "state.json")},
		ports:   ports{first: o.FirstPort, last: o.LastPort, used: map[int]bool{}},
		suspect: make(chan struct{}, 1),
		boots:   ctxlock.New(max(2, runtime.NumCPU())),
		apps:    map[string]*application{}, live: map[*drone]bool{}, clients: map[*keeper.Client]bool{}, found: map[string][]found{},
	}
}

// Start finds the drones that a previous server left to their keepers, for Resume,
// and ends all other processes that it left running. It fails if the folder can't
// be used, for example because another server uses it. ctx is only used by Start
// itself.
func (r *Runner) Start(ctx context.Context) error {
	if r.OwnUsers() && !r.o.BuildsOnly {
		if err := group.CheckInspect(); err != nil {
			return fmt.Errorf("processes: %w", err)
		}
	}
	if err := r.prepare(ctx); err != nil {
		return errors.Join(err, r.unlock())
	}
	if err := r.find(ctx); err != nil {
		r.o.Logger.ErrorContext(ctx, "drones of a previous server not taken over", "error", err) // they are ended below
	}
	if err := r.endLeftovers(ctx, r.leftovers); err != nil {
		return errors.Join(fmt.Errorf("processes: ending processes of a previous server: %w", err), r.unlock())
	}
	r.openCgroups(ctx)
	if r.OwnUsers() {
		if err := group.CheckAccounts(); err != nil {
			r.o.Logger.InfoContext(ctx, "apps are not in the user database, so that os.userInfo() fails", "reason", err)
		}
	}
	life := context.WithoutCancel(ctx)
	r.ctx, r.cancel = context.WithCancel(life)
	r.hurry, r.hurryNow = context.WithCancel(life)
	r.mu.Lock()
	r.open, r.started = true, true
	r.mu.Unlock()
	r.running.Go(r.collect)
	r.running.Go(r.check)
	return nil
}

// endLeftovers ends the processes that find returns. One that can't be killed is
// reported, as while the server runs, and keeps no app from its start.
func (r *Runner) endLeftovers(ctx context.Context, find func() ([]int, error)) error {
	hurry, cancel := context.WithTimeout(ctx, r.o.Grace)
	defer cancel()
	err := group.EndAll(hurry, find)
	if errors.Is(err, group.ErrSurvivors) {
		r.o.Logger.ErrorContext(ctx, "processes of a previous server not killed", "error", err)
		return nil
	}
	return err
}

// leftovers returns the processes that a previous server left: those with the
// mark, and those without it of the apps' users. Those of drones that have a keeper
// are not among them.
func (r *Runner) leftovers() ([]int, error) {
	var users []uint32
	if r.OwnUsers() {
		r.store.read(func(c content) { users = slices.Collect(maps.Values(c.Users)) })
	}
	pids, err := group.Find(r.Mark(), users...)
	if len(pids) == 0 {
		return nil, err
	}
	kept := keeper.Members(r.kept()) // asked after the search: it has each of them that was found
	return slices.DeleteFunc(pids, func(pid int) bool { return slices.Contains(kept, pid) }), err
}

// openCgroups enables control groups if they are available.
func (r *Runner) openCgroups(ctx context.Context) {
	if len(r.o.Keeper) > 0 && !group.Restartable() {
		r.o.Logger.Warn("apps have no control groups", "reason", "systemd could not start the service again while they run: set DelegateSubgroup=server in its unit, which needs systemd 254")
		return
	}
	cgroups, err := group.OpenCgroups(ctx)
	if err != nil {
		r.o.Logger.Info("apps have no control groups", "reason", err)
		return
	}
	r.cgroups = cgroups
	kept := map[string]bool{}
	for _, c := range r.kept() {
		kept[c.Mark()] = true
	}
	if err := cgroups.Sweep(r.Mark(), kept); err != nil {
		r.o.Logger.Warn("control groups of a previous server not removed", "error", err)
	}
	r.o.Logger.Info("apps have control groups", "dir", cgroups.Dir())
}

// prepare creates and locks the folder and loads the state. It writes only what is
// missing, so that it works if the disk is full.
func (r *Runner) prepare(ctx context.Context) error {
	if !filepath.IsAbs(r.o.Dir) {
		return fmt.Errorf("processes: the folder %q must be an absolute path", r.o.Dir)
	}
	if err := passable(r.o.Dir); err != nil {
		return fmt.Errorf("processes: creating the folder: %w", err)
	}
	var err error
	if r.lock, err = os.Open(r.o.Dir); err != nil {
		return fmt.Errorf("processes: opening the folder: %w", err)
	}
	if err := syscall.Flock(int(r.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { //nolint:gosec // a descriptor fits
		return fmt.Errorf("processes: the folder %s is in use by another server: %w", r.o.Dir, err)
	}
	if err := r.store.load(); err != nil {
		return fmt.Errorf("processes: reading the state: %w", err)
	}
	if r.OwnUsers() {
		if err := r.reachable(ctx, r.o.Dir, credential(r.o.FirstUID)); err != nil {
			return err
		}
	}
	return group.Adopt()
}

func (r *Runner) unlock() error {
	if r.lock == nil {
		return nil
	}
	// Closing is not enough: a child that another goroutine has just forked has
	// the lock too, until it calls exec.
	err := syscall.Flock(int(r.lock.Fd()), syscall.LOCK_UN) //nolint:gosec // a descriptor fits
	err = errors.Join(err, r.lock.Close())
	r.lock = nil
	return err
}

// Stop ends all drones: they get no new requests, then SIGTERM when their requests
// have ended or the grace time is over, then SIGKILL after another grace time or
// when ctx ends. All processes have ended when Stop returns. If [Options.KeepDrones]
// returns true, the drones of the current versions that have a keeper go on, and the
// next server takes them over.
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	wasOpen := r.open
	r.open = false
	apps := slices.Collect(maps.Values(r.apps))
	r.mu.Unlock()
	if !wasOpen {
		return nil
	}
	keep := r.o.KeepDrones()
	r.cancel() // ends each launch, so that the locks are released soon
	if keep {
		r.detachFound() // otherwise halt ends them
	}
	defer context.AfterFunc(ctx, r.hurryNow)()
	var wg sync.WaitGroup
	failures := make([]error, len(apps))
	for i, a := range apps {
		wg.Go(func() {
			_ = a.lock.Acquire(context.WithoutCancel(ctx)) // never fails with this context
			defer a.lock.Release()
			if keep {
				failures[i] = a.leave(r.hurry) //nolint:contextcheck // its time is bounded by hurry
			} else {
				release, err := a.halt(r.hurry) //nolint:contextcheck // the same
				release()
				failures[i] = err
			}
		})
	}
	wg.Wait()
	r.running.Wait()
	r.hurryNow()
	for i, a := range apps {
		failures[i] = errors.Join(failures[i], a.journal.Close())
	}
	return errors.Join(errors.Join(failures...), r.unlock())
}

// Kill kills all processes of all drones immediately, for a server that must exit
// now, except drones that [Options.KeepDrones] leaves to the next server. That
// removes what remains, such as their control groups.
func (r *Runner) Kill() {
	r.mu.Lock()
	started := r.started
	r.open = false // so that no more drones are started
	r.mu.Unlock()
	if !started {
		return
	}
	r.cancel()
	ended, cancel := context.WithCancel(context.Background()) //nolint:forbidigo,contextcheck // killing does not wait
	cancel()
	if !r.o.KeepDrones() {
		var ending sync.WaitGroup
		for _, c := range r.kept() {
			ending.Go(func() { _ = c.End(ended, 0) }) // what survives is reported below
		}
		ending.Wait()
	}
	if err := group.EndAll(ended, r.leftovers); err != nil {
		r.o.Logger.Error("drones not killed", "error", err)
	}
}

// Launch implements runner.Runner.
func (r *Runner) Launch(ctx context.Context, v runner.Version) (runner.Candidate, error) {
	if err := startup.Check(v); err != nil {
		return nil, err
	}
	a, err := r.acquire(ctx, v.User, v.App)
	if err != nil {
		return nil, err
	}
	c, err := a.launchVersion(ctx, v)
	if err != nil {
		a.lock.Release()
		return nil, err
	}
	return c, nil // c releases the lock
}

// Resume implements runner.Runner.
func (r *Runner) Resume(ctx context.Context, v runner.Version) (launch string, err error) {
	if err := startup.Check(v); err != nil {
		return "", err
	}
	a, err := r.acquire(ctx, v.User, v.App)
	if err != nil {
		return "", err
	}
	g := a.newGeneration(v)
	others := g.adopt(r.takeFound(v.User, v.App))
	a.mu.Lock()
	a.current = g
	a.mu.Unlock()
	a.endFound(others)
	g.startSites()
	a.notify()
	keep := func() {
		defer a.lock.Release()
		if v.StopFirst {
			a.hasten()()
		}
		g.keep()
	}
	if v.StopFirst {
		r.running.Go(keep) // other apps do not wait
	} else {
		keep()
	}
	return g.launch, nil
}

// Halt ends the app's drones and waits until all their processes have ended. When
// ctx ends, they are killed. It is not an error if the app is not running.
func (r *Runner) Halt(ctx context.Context, user, app string) error {
	a, err := r.acquire(ctx, user, app)
	if err != nil {
		return err
	}
	defer a.lock.Release()
	release, err := a.halt(ctx)
	defer release()
	return errors.Join(err, a.sweep(context.WithoutCancel(ctx)))
}

// Destroy halts the app and removes its logs, its home and its user.
func (r *Runner) Destroy(ctx context.Context, user, app string) error {
	a, err := r.acquire(ctx, user, app)
	if err != nil {
		return err
	}
	defer a.lock.Release()
	release, err := a.halt(ctx)
	defer release()
	err = errors.Join(err, a.sweep(context.WithoutCancel(ctx)), a.journal.Close(),
		os.RemoveAll(a.journal.Dir()), os.RemoveAll(r.around(user, app)))
	if err != nil {
		return fmt.Errorf("processes: destroying the app: %w", err)
	}
	return r.store.update(func(c *content) { delete(c.Users, key(user, app)) })
}

// acquire returns an app with its lock held.
func (r *Runner) acquire(ctx context.Context, user, app string) (*application, error) {
	if !core.ValidName(user) || !core.ValidName(app) {
		return nil, fmt.Errorf("processes: invalid app name %q", key(user, app))
	}
	a := r.app(user, app)
	if err := a.lock.Acquire(ctx); err != nil {
		return nil, fmt.Errorf("processes: waiting for another change of the app: %w", err)
	}
	r.mu.RLock()
	open := r.open
	r.mu.RUnlock()
	if !open {
		a.lock.Release()
		return nil, core.NewError(core.CodePlatformBusy, "", nil)
	}
	return a, nil
}

// State implements runner.Runner.
func (r *Runner) State(user, app string) runner.State {
	a := r.known(user, app)
	if a == nil {
		return runner.State{User: user, App: app, Phase: runner.Stopped}
	}
	return a.notify()
}

// States returns the states of all apps that have run since Start.
func (r *Runner) States() []runner.State {
	r.mu.RLock()
	apps := slices.Collect(maps.Values(r.apps))
	r.mu.RUnlock()
	states := make([]runner.State, len(apps))
	for i, a := range apps {
		states[i] = a.state()
	}
	return states
}

// Pick returns the app's drone with the fewest requests in flight, or if the app is
// sticky, the one of the client.
func (r *Runner) Pick(user, app, client string) (t runner.Target, ok bool) {
	a := r.known(user, app)
	if a == nil {
		return runner.Target{}, false
	}
	return a.pick(client)
}

// Mark returns the prefix of the mark of each drone. It must not be called before
// Start. Other processes with such a mark, such as builds, are ended by the next
// Start as well if the server is killed.
func (r *Runner) Mark() string { return r.instance() + "." }

// Group starts a command that is not a drone, such as a build, in a control group
// with these limits, if control groups are available. It must not be called before
// Start.
func (r *Runner) Group(cmd *exec.Cmd, mark string, limits group.Limits) (*group.Group, error) {
	return r.cgroups.Start(cmd, mark, limits)
}

// Logs returns the app's last rows lines that were written between from and until
// (inclusive), oldest first, including those of previous drones and versions; a
// zero time means no bound. It returns at most the newest 8 MiB of text.
func (r *Runner) Logs(user, app string, from, until time.Time, rows int) ([]runner.Line, error) {
	if !core.ValidName(user) || !core.ValidName(app) {
		return nil, nil
	}
	if a := r.known(user, app); a != nil {
		return a.journal.Last(from, until, rows)
	}
	return applog.New(r.logs(user, app)).Last(from, until, rows)
}

// Note implements runner.Runner.
func (r *Runner) Note(user, app, text string) {
	if core.ValidName(user) && core.ValidName(app) {
		a := r.app(user, app)
		a.noted.Store(true)
		a.note("", 0, text)
	}
}

// collectEvery is the interval at which orphaned zombies are collected.
const collectEvery = 30 * time.Second

// collect collects the zombies that running drones leave to the server, until
// Stop.
func (r *Runner) collect() {
	ticker := time.NewTicker(collectEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-r.ctx.Done():
			return
		}
		for _, d := range r.liveDrones() {
			if g, ok := d.group.(*group.Group); ok {
				_, _ = g.Members() // called for collecting the zombies only
			}
		}
		_ = group.Collect() // tried again after the next tick
	}
}

func (r *Runner) liveDrones() []*drone {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Keys(r.live))
}

// app returns the app, creating it if it is new.
func (r *Runner) app(user, name string) *application {
	if a := r.known(user, name); a != nil {
		return a
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.apps[key(user, name)]
	if a == nil {
		a = &application{
			runner: r, user: user, name: name,
			lock: ctxlock.New(1), boots: ctxlock.New(1), late: make(chan struct{}),
			journal: applog.New(r.logs(user, name)),
			last:    runner.State{User: user, App: name, Phase: runner.Stopped},
		}
		r.apps[key(user, name)] = a
	}
	return a
}

// known returns the app, or nil.
func (r *Runner) known(user, name string) *application {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.apps[key(user, name)]
}

// logs returns the folder of an app's log.
func (r *Runner) logs(user, app string) string {
	return filepath.Join(r.o.Dir, "logs", user, app)
}

func key(user, app string) string { return user + "/" + app }

func (r *Runner) instance() (instance string) {
	r.store.read(func(c content) { instance = c.Instance })
	return instance
}

func (r *Runner) uid(a *application) (uid uint32, ok bool) {
	r.store.read(func(c content) { uid, ok = c.Users[key(a.user, a.name)] })
	return uid, ok
}
