package apps_test

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// fakeRunner runs nothing, and remembers what it would.
type fakeRunner struct {
	crashed func(runner.Crash)

	mu       sync.Mutex
	launches int
	current  map[string]*fakeCandidate // by app; what gets the requests
	log      []string                  // what was done, such as "launch v1"
	standby  time.Duration             // of the last Commit
	lines    []runner.Line

	launch func(runner.Version) error                  // called by Launch; nil: nothing
	halt   func() (stopped bool, err error)            // called by Halt; nil: the app is stopped
	resume func(context.Context, runner.Version) error // called by Resume; nil: nothing
	run    func(context.Context, runner.Version, runner.Command) (runner.Exit, error)
	watch  func(context.Context, runner.Version, time.Duration) error // called by Watch; nil: nothing

	destroyed error // what Destroy fails with when it has stopped the app
}

func newFakeRunner() *fakeRunner { return &fakeRunner{current: map[string]*fakeCandidate{}} }

type fakeCandidate struct {
	r        *fakeRunner
	id       string
	v        runner.Version
	former   *fakeCandidate
	promoted bool
	state    runner.State
}

func (r *fakeRunner) Start(context.Context) error { return nil }
func (r *fakeRunner) Stop(context.Context) error  { return nil }

func (r *fakeRunner) did(what string) { r.log = append(r.log, what) }

// done returns what was done since the last call.
func (r *fakeRunner) done() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	log := r.log
	r.log = nil
	return log
}

// runs returns the version that gets the requests; zero for none.
func (r *fakeRunner) runs() runner.Version {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.current["app"]; c != nil {
		return c.v
	}
	return runner.Version{}
}

// crash has the drone of what runs crash.
func (r *fakeRunner) crash(again bool) {
	r.mu.Lock()
	c := r.current["app"]
	c.state.Restarts++
	c.state.Reason = "drone 1 exited with code 1"
	r.mu.Unlock()
	r.crashed(runner.Crash{
		User: "me", App: "app", Snapshot: c.v.Snapshot, Launch: c.id, Drone: 1,
		Reason: "drone 1 exited with code 1", Detail: "no database", Again: again,
	})
}

// fall sets the state of what runs to crashed.
func (r *fakeRunner) fall() {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.current["app"]
	c.state.Phase, c.state.Drones = runner.Crashed, 0
}

func (r *fakeRunner) candidate(v runner.Version) *fakeCandidate {
	r.launches++
	v.Env = maps.Clone(v.Env)
	return &fakeCandidate{
		r: r, id: strconv.Itoa(r.launches), v: v,
		state: runner.State{User: v.User, App: v.App, Phase: runner.Started, Snapshot: v.Snapshot, Drones: v.Drones, Wanted: v.Drones},
	}
}

func (r *fakeRunner) Launch(ctx context.Context, v runner.Version) (runner.Candidate, error) {
	r.mu.Lock()
	r.did("launch " + v.Snapshot)
	launch := r.launch
	r.mu.Unlock()
	if launch != nil {
		if err := launch(v); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.candidate(v), nil
}

func (r *fakeRunner) Resume(ctx context.Context, v runner.Version) (string, error) {
	r.mu.Lock()
	r.did("resume " + v.Snapshot)
	resume := r.resume
	r.mu.Unlock()
	if resume != nil {
		if err := resume(ctx, v); err != nil {
			return "", err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.candidate(v)
	r.current[v.App] = c
	return c.id, nil
}

func (r *fakeRunner) Halt(_ context.Context, _, app string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.did("halt")
	stopped, err := true, error(nil)
	if r.halt != nil {
		stopped, err = r.halt()
	}
	if stopped {
		delete(r.current, app)
	}
	return err
}

func (r *fakeRunner) Destroy(ctx context.Context, user, app string) error {
	return errors.Join(r.Halt(ctx, user, app), r.destroyed)
}

func (r *fakeRunner) Run(ctx context.Context, v runner.Version, c runner.Command) (runner.Exit, error) {
	r.mu.Lock()
	r.did(c.Name + " " + v.Snapshot)
	run := r.run
	r.mu.Unlock()
	if run == nil {
		return runner.Exit{Reason: "exited with code 0"}, nil
	}
	return run(ctx, v, c)
}

func (r *fakeRunner) CheckLimits(l runner.Limits) error {
	if l.CPUs > 8 {
		return core.Errorf(core.CodePlatformInvalid, "no more than 8")
	}
	return nil
}

func (r *fakeRunner) State(user, app string) runner.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.current[app]; c != nil {
		return c.state
	}
	return runner.State{User: user, App: app, Phase: runner.Stopped}
}

func (r *fakeRunner) Memory(user, app string) int64 {
	return int64(r.State(user, app).Drones) * 50 << 20
}

func (r *fakeRunner) Pick(string, string, string) (runner.Target, bool) {
	return runner.Target{}, false
}

func (r *fakeRunner) Refused(string, string, string) {}

func (r *fakeRunner) Logs(string, string, time.Time, time.Time, int) ([]runner.Line, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines, nil
}

func (r *fakeRunner) Note(_, _, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, runner.Line{Stream: runner.Platform, Text: text})
}

func (c *fakeCandidate) Launch() string { return c.id }

func (c *fakeCandidate) Promote() {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.did("promote " + c.v.Snapshot)
	c.former, c.promoted = c.r.current[c.v.App], true
	c.r.current[c.v.App] = c
}

func (c *fakeCandidate) Watch(ctx context.Context, d time.Duration) error {
	c.r.mu.Lock()
	c.r.did("watch " + c.v.Snapshot)
	watch := c.r.watch
	c.r.mu.Unlock()
	if watch == nil {
		return nil
	}
	return watch(ctx, c.v, d)
}

func (c *fakeCandidate) Commit(standby time.Duration) {
	if !c.promoted {
		c.Promote()
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.did("commit " + c.v.Snapshot)
	c.r.standby = standby
}

func (c *fakeCandidate) Abort() {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.did("abort " + c.v.Snapshot)
	if !c.promoted {
		return
	}
	if delete(c.r.current, c.v.App); c.former != nil {
		c.r.current[c.v.App] = c.former
	}
}

// failedStart is the error of a version that does not run.
func failedStart() error {
	return &core.Error{Code: core.CodePlatformStartFailed, Reason: "drone 1 exited with code 1", Detail: "no database"}
}
