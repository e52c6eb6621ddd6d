package idle

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Runner starts nothing.
type Runner struct {
	target string // host:port, of all apps

	mu       sync.RWMutex
	launches int
	states   map[string]runner.State // of what gets the requests; by user/app
}

var _ runner.Runner = (*Runner)(nil)

// NewRunner returns a Runner whose apps all answer at an address, host:port.
func NewRunner(target string) *Runner {
	return &Runner{target: target, states: map[string]runner.State{}}
}

// Start implements runner.Runner.
func (r *Runner) Start(context.Context) error { return nil }

// Stop implements runner.Runner.
func (r *Runner) Stop(context.Context) error { return nil }

// Launch implements runner.Runner.
func (r *Runner) Launch(_ context.Context, v runner.Version) (runner.Candidate, error) {
	return &candidate{r: r, id: r.launch(), v: v}, nil
}

func (r *Runner) launch() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.launches++
	return strconv.Itoa(r.launches)
}

// Resume implements runner.Runner.
func (r *Runner) Resume(_ context.Context, v runner.Version) (string, error) {
	r.set(v)
	return r.launch(), nil
}

// set has v get the requests.
func (r *Runner) set(v runner.Version) {
	drones := max(v.Drones, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states[v.User+"/"+v.App] = runner.State{
		User: v.User, App: v.App, Phase: runner.Started, Snapshot: v.Snapshot, Drones: drones, Wanted: drones, Since: time.Now(),
	}
}

// Halt implements runner.Runner.
func (r *Runner) Halt(_ context.Context, user, app string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.states, user+"/"+app)
	return nil
}

// Destroy implements runner.Runner.
func (r *Runner) Destroy(ctx context.Context, user, app string) error {
	return r.Halt(ctx, user, app)
}

// Run implements runner.Runner.
func (r *Runner) Run(context.Context, runner.Version, runner.Command) (runner.Exit, error) {
	return runner.Exit{Reason: "exited with code 0"}, nil
}

// CheckLimits implements runner.Runner.
func (r *Runner) CheckLimits(runner.Limits) error { return nil }

// State implements runner.Runner.
func (r *Runner) State(user, app string) runner.State {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if s, ok := r.states[user+"/"+app]; ok {
		return s
	}
	return runner.State{User: user, App: app, Phase: runner.Stopped}
}

// Memory implements runner.Runner.
func (r *Runner) Memory(string, string) int64 { return 0 }

// Pick implements runner.Runner.
func (r *Runner) Pick(user, app, _ string) (runner.Target, bool) {
	if r.State(user, app).Phase != runner.Started {
		return runner.Target{}, false
	}
	return runner.Target{Addr: r.target, Done: func() {}}, true
}

// Refused implements runner.Runner.
func (r *Runner) Refused(string, string, string) {}

// Logs implements runner.Runner.
func (r *Runner) Logs(string, string, time.Time, time.Time, int) ([]runner.Line, error) {
	return nil, nil
}

// Note implements runner.Runner.
func (r *Runner) Note(string, string, string) {}

// candidate is a version that is ready.
type candidate struct {
	r      *Runner
	id     string
	v      runner.Version
	before runner.State // what got the requests until Promote
}

func (c *candidate) Launch() string { return c.id }

func (c *candidate) Promote() {
	c.before = c.r.State(c.v.User, c.v.App)
	c.r.set(c.v)
}

func (c *candidate) Watch(context.Context, time.Duration) error { return nil }

func (c *candidate) Commit(time.Duration) {}

func (c *candidate) Abort() {
	if c.before.Phase == "" {
		return // it was not promoted
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	key := c.v.User + "/" + c.v.App
	if delete(c.r.states, key); c.before.Phase == runner.Started {
		c.r.states[key] = c.before
	}
}
