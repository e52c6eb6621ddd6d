package processes

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// generation is the set of drones that run one version. Each of its slots has a
// goroutine that restarts the slot's drone when it ends.
type generation struct {
	app     *application
	launch  string // identifies it
	version runner.Version
	slots   []*slot         // those of the web process first
	web     int             // number of slots of the web process
	ctx     context.Context // the lifetime of the keepers, not of a call
	cancel  context.CancelFunc
	keepers sync.WaitGroup

	// Guarded by the app's mutex.
	restarts int
	reason   string
}

// slot is the place of one drone.
type slot struct {
	process string // name; "" for the web process
	command string
	number  int    // counted from 1 within its process
	pacer   pacer  // of its keeper
	found   *drone // of an earlier server, to be waited for; nil for none

	// Guarded by the app's mutex.
	drone   *drone    // nil while none is ready
	crashes int       // consecutive, as in pacer
	next    time.Time // time of the next start; zero if none is pending
}

func (a *application) newGeneration(v runner.Version) *generation {
	g := &generation{app: a, launch: rand.Text(), version: v}
	g.ctx, g.cancel = context.WithCancel(a.runner.ctx)
	drones := max(v.Drones, 1)
	if v.Start != "" || v.Static != "" {
		for i := range drones {
			g.slots = append(g.slots, &slot{command: v.Start, number: i + 1})
		}
		g.web, drones = drones, 1
	}
	for _, name := range slices.Sorted(maps.Keys(v.Processes)) {
		for i := range drones {
			g.slots = append(g.slots, &slot{process: name, command: v.Processes[name], number: i + 1})
		}
	}
	return g
}

// counted returns the slots that the number of drones is about: those of the web
// process, if there is one.
func (g *generation) counted() []*slot {
	if g.web > 0 {
		return g.slots[:g.web]
	}
	return g.slots
}

// title names the drone of a slot in a sentence.
func (s *slot) title() string {
	switch {
	case s.process == "":
		return fmt.Sprintf("drone %d", s.number)
	case s.number == 1:
		return "process " + s.process
	}
	return fmt.Sprintf("process %s, number %d,", s.process, s.number)
}

// start starts a drone for each slot, those of the web process last, and returns
// when all are ready and can be reached by the router. If one fails, all are ended.
func (g *generation) start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.ctx, cancel)() //nolint:contextcheck // whichever ends first
	err := g.startAll(ctx, g.slots[g.web:])
	if err == nil {
		err = g.startAll(ctx, g.slots[:g.web])
	}
	if err == nil && g.web > 0 && g.version.Static == "" {
		err = startup.CheckPlain(ctx, g.slots[0].drone.addr, g.slots[0].title())
	}
	if err == nil {
		return nil
	}
	g.cancel()
	return errors.Join(err, g.drain(g.app.runner.hurry, 0, g.app.runner.o.Grace)) //nolint:contextcheck // the drones must be ended even if ctx has ended
}

// startSites starts the drones of a static site, which are ready at once. One that
// fails is started again like one that crashed.
func (g *generation) startSites() {
	if g.version.Static == "" {
		return
	}
	for _, sl := range g.slots[:g.web] {
		d, err := g.app.launch(g.ctx, g.version, sl)
		if err != nil {
			return
		}
		g.app.mu.Lock()
		sl.drone = d
		g.app.mu.Unlock()
	}
}

// startAll starts drones concurrently.
func (g *generation) startAll(ctx context.Context, slots []*slot) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	failures := make([]error, len(slots))
	for i, sl := range slots {
		wg.Go(func() {
			d, err := g.app.launch(ctx, g.version, sl)
			if err != nil {
				failures[i] = err
				cancel() // the others are not needed any more
				return
			}
			g.app.mu.Lock()
			sl.drone = d
			g.app.mu.Unlock()
		})
	}
	wg.Wait()
	return first(failures)
}

// first returns the failure that caused the others: the first that is not a
// canceled context.
func first(failures []error) error {
	var err error
	for _, failure := range failures {
		if failure != nil && (err == nil || errors.Is(err, context.Canceled)) {
			err = failure
		}
	}
	return err
}

// watch returns an error when a drone has ended or no longer accepts connections,
// and nil when ctx ends. It must not run concurrently with the keepers.
func (g *generation) watch(ctx context.Context) error {
	a := g.app
	ended := make(chan *slot, len(g.slots))
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	for _, sl := range g.slots {
		watching.Go(func() {
			if sl.drone.awaitEnd(ctx) {
				ended <- sl
			}
		})
	}
	var sl *slot
	select {
	case sl = <-ended:
	case <-ctx.Done():
		return nil
	}
	a.mu.Lock()
	d := sl.drone
	sl.drone = nil // so that it gets no requests
	a.mu.Unlock()
	a.notify()
	when := ": it crashed soon after it had accepted connections"
	if d.port == 0 {
		when = ": it crashed soon after it was started"
	}
	return &core.Error{Code: core.CodePlatformStartFailed, Reason: a.bury(ctx, d) + when, Detail: d.lastText()}
}

// keep starts the keepers.
func (g *generation) keep() {
	for _, sl := range g.slots {
		g.keepers.Go(func() { g.keepSlot(sl) })
	}
}

// keepSlot restarts the drone of sl when it ends, until the generation ends.
func (g *generation) keepSlot(sl *slot) {
	a := g.app
	o := a.runner.o
	for {
		a.mu.Lock()
		d := sl.drone
		a.mu.Unlock()
		var reason, detail string
		var up time.Duration
		if d != nil {
			if !d.awaitEnd(g.ctx) {
				return
			}
			if g.relieve(sl, d) {
				continue
			}
			a.mu.Lock()
			sl.drone = nil
			a.mu.Unlock()
			up = o.Now().Sub(d.started)
			reason, detail = a.bury(g.ctx, d), d.lastText()
		} else {
			var err error
			if d, err = g.boot(sl); err == nil {
				a.mu.Lock()
				sl.drone = d
				a.mu.Unlock()
				a.notify()
				continue
			}
			if g.ctx.Err() != nil {
				return
			}
			failed := core.AsError(err)
			if reason, detail = failed.Reason, failed.Detail; failed.Code != core.CodePlatformStartFailed {
				reason = err.Error()
			}
		}
		pause := sl.pacer.crash(o, up)
		if !g.pause(sl, reason, detail, pause) {
			return
		}
	}
}

// relieve starts another drone in the place of one that goes on though its keeper
// was killed, and then ends it, so that no request is lost. It returns false if the
// drone has ended, if the two must not run at the same time, or if the other one
// does not start.
func (g *generation) relieve(sl *slot, d *drone) bool {
	if sl.process != "" || g.version.StopFirst || !d.orphaned() {
		return false
	}
	a := g.app
	next, err := g.boot(sl)
	if err != nil {
		return false // the drone is ended, and started again after a pause
	}
	reason := "the keeper of " + sl.title() + " was killed, and another drone took its place"
	a.mu.Lock()
	sl.drone = next
	g.restarted(reason)
	a.mu.Unlock()
	a.note(sl.process, sl.number, reason)
	a.runner.o.Logger.Warn("keeper killed, drone replaced", "user", a.user, "app", a.name, "snapshot", g.version.Snapshot, "drone", sl.number)
	a.notify()
	g.keepers.Go(func() { _ = a.retire(a.runner.hurry, d, a.runner.o.DrainTimeout, a.runner.o.Grace) }) // a failure was logged
	return true
}

// restarted counts a drone that was started again. The app's mutex must be held.
func (g *generation) restarted(reason string) {
	g.restarts++
	g.reason = reason
	if g.app.current == g {
		g.app.restarts, g.app.reason = g.restarts, g.reason
	}
}

// exitTime is how long a process that has closed its port may take to exit.
const exitTime = 500 * time.Millisecond

// bury ends all processes of a drone that has exited or lost its port. It returns
// the reason, as a sentence for the app's author.
func (a *application) bury(ctx context.Context, d *drone) string {
	lost := false
	exiting := time.NewTimer(exitTime)
	defer exiting.Stop()
	select {
	case <-d.group.Exited():
	case <-exiting.C:
		lost = !group.Ended(d.group.Pid()) // on a busy machine its keeper may not have noticed
	}
	exit := a.end(context.WithoutCancel(ctx), d, 0)
	if lost {
		return d.slot.title() + " stopped listening on its port, though its process went on"
	}
	return d.slot.title() + " " + d.exitText(exit)
}

// booting is the maximum time for which a starting drone occupies a boot slot:
// most of its CPU-intensive work is done by then.
const booting = 2 * time.Second

// boot launches a drone for sl. The number of drones that boot at the same time is
// limited, so that a server with many apps can start; and only one drone of each
// app boots at a time, so that no app blocks the others.
func (g *generation) boot(sl *slot) (*drone, error) {
	var locks []ctxlock.Lock
	release := sync.OnceFunc(func() {
		for _, lock := range locks {
			lock.Release()
		}
	})
	defer release()
	for _, lock := range []ctxlock.Lock{g.app.boots, g.app.runner.boots} {
		if err := lock.Acquire(g.ctx); err != nil {
			return nil, err
		}
		locks = append(locks, lock)
	}
	defer time.AfterFunc(booting, release).Stop()
	return g.app.launch(g.ctx, g.version, sl)
}

// pause waits before a drone that crashed is restarted. It returns false if the
// generation ends first.
func (g *generation) pause(sl *slot, reason, detail string, wait time.Duration) bool {
	a := g.app
	o := a.runner.o
	a.mu.Lock()
	sl.crashes, sl.next = sl.pacer.crashes, o.Now().Add(wait).UTC()
	g.restarted(reason)
	a.mu.Unlock()
	a.note(sl.process, sl.number, fmt.Sprintf("%s; it starts again in %v", reason, wait))
	o.Logger.Warn("drone crashed", "user", a.user, "app", a.name, "snapshot", g.version.Snapshot,
		"process", sl.process, "drone", sl.number, "reason", reason, "pause", wait)
	a.notify()
	o.Crashed(runner.Crash{
		User: a.user, App: a.name, Snapshot: g.version.Snapshot, Launch: g.launch, Process: sl.process, Drone: sl.number,
		Reason: reason, Detail: detail, Pause: wait, Again: sl.pacer.crashes > 1,
	})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.ctx.Done():
		return false
	}
	a.mu.Lock()
	sl.next = time.Time{}
	a.mu.Unlock()
	return true
}

// drain ends the generation: its keepers, then each drone once its requests have
// ended or their time is over. When ctx ends, all drones are killed. It returns an
// error if processes could not be killed.
func (g *generation) drain(ctx context.Context, requests, grace time.Duration) error {
	g.cancel()
	g.keepers.Wait()
	var wg sync.WaitGroup
	failures := make([]error, len(g.slots))
	for i, sl := range g.slots {
		d := g.take(sl)
		if d == nil {
			continue
		}
		wg.Go(func() {
			// The exit code of a drone that was ended on purpose does not matter.
			if err := g.app.retire(ctx, d, requests, grace); errors.Is(err, group.ErrSurvivors) {
				failures[i] = fmt.Errorf("processes: ending %s: %w", sl.title(), err)
			}
		})
	}
	wg.Wait()
	return errors.Join(failures...)
}

// take removes the drone of a slot and returns it: the one that is ready, else the one that
// an earlier server has left and that was not ready yet, else nil. The keepers must have
// ended.
func (g *generation) take(sl *slot) *drone {
	g.app.mu.Lock()
	defer g.app.mu.Unlock()
	d := cmp.Or(sl.drone, sl.found)
	sl.drone, sl.found = nil, nil
	return d
}

// retire ends a drone that gets no new requests, once its requests have ended or
// their time is over. When ctx ends, it is killed. It returns what end returns.
func (a *application) retire(ctx context.Context, d *drone, requests, grace time.Duration) error {
	drained := make(chan struct{})
	a.mu.Lock()
	if d.drained = drained; d.inFlight == 0 {
		close(drained)
	}
	late := a.late
	a.mu.Unlock()
	exited := d.group.Exited()
	if d.orphaned() {
		exited = nil
	}
	limit := time.NewTimer(requests)
	defer limit.Stop()
	select {
	case <-drained:
	case <-limit.C:
	case <-late:
	case <-exited:
	case <-ctx.Done():
	}
	return a.end(ctx, d, grace)
}
