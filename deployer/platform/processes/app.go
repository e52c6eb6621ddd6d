package processes

import (
	"context"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/commands"
	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// application is the state of one app.
type application struct {
	runner     *Runner
	user, name string
	journal    *applog.Journal
	lock       ctxlock.Lock   // held by the call that changes what runs, or by a candidate
	boots      ctxlock.Lock   // held by the one drone that boots after a crash
	drains     sync.WaitGroup // of generations that were replaced; used with the lock held
	noted      atomic.Bool    // Note was called

	mu       sync.Mutex
	late     chan struct{} // closed by hasten when the time for requests is over; replaced when drains are done
	current  *generation   // receives the requests; nil if the app is stopped
	former   *generation   // that current replaced, while it may still serve again; nil otherwise
	commands commands.Set
	next     int // where pick starts, so that equal drones are used in turn
	restarts int
	reason   string

	notifying sync.Mutex
	last      runner.State // last state passed to Options.Notify
}

// halt ends the app's drones and commands, and waits for their end. No command begins
// until release is called. The lock must be held.
func (a *application) halt(ctx context.Context) (release func(), err error) {
	r := a.runner
	a.mu.Lock()
	old, standby := a.current, a.former
	a.current, a.former, a.restarts, a.reason = nil, nil, 0, ""
	a.mu.Unlock()
	a.notify()
	a.replace(standby)
	a.endFound(r.takeFound(a.user, a.name))
	var ending sync.WaitGroup
	ending.Go(func() { release = a.commands.End() })
	wait := a.hasten()
	if old != nil {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(r.hurry, cancel)() //nolint:contextcheck // whichever ends first
		err = old.drain(ctx, r.o.Grace, r.o.Grace)
	}
	wait()
	ending.Wait()
	return release, err
}

// hasten gives the requests of the generations that were replaced no more than the
// grace time from now on. wait returns when these, and the drones of an earlier server
// that were to end, have ended. The lock must be held until then.
func (a *application) hasten() (wait func()) {
	late := a.late
	timer := time.AfterFunc(a.runner.o.Grace, func() { close(late) })
	return func() {
		a.drains.Wait()
		if !timer.Stop() {
			<-late
			a.mu.Lock()
			defer a.mu.Unlock()
			a.late = make(chan struct{})
		}
	}
}

// leave leaves the drones of the app's current version to their keepers, and ends
// everything else of it. The lock must be held.
func (a *application) leave(ctx context.Context) error {
	a.mu.Lock()
	current, standby := a.current, a.former
	a.current, a.former = nil, nil
	a.mu.Unlock()
	a.replace(standby)
	a.commands.End()()
	var err error
	if current != nil {
		err = current.detach(ctx)
	}
	a.drains.Wait()
	return err
}

// sweep ends the remaining processes of the app's user, which removed their mark,
// and removes the app's temporary files. The app must have no drones.
func (a *application) sweep(ctx context.Context) error {
	r := a.runner
	var err error
	if uid, ok := r.uid(a); ok && r.OwnUsers() {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err = group.EndAll(ctx, func() ([]int, error) { return group.FindUnmarked(uid) })
		err = errors.Join(err, group.Collect())
	}
	return errors.Join(err, os.RemoveAll(filepath.Join(r.around(a.user, a.name), "tmp")))
}

// slowFrom is the number of consecutive crashes from which on an app without a
// ready drone is reported as crashed.
const slowFrom = 5

// state returns the app's state, without Since.
func (a *application) state() runner.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := runner.State{User: a.user, App: a.name, Phase: runner.Stopped, Restarts: a.restarts, Reason: a.reason}
	if a.current == nil {
		return s
	}
	crashed := 0
	counted := a.current.counted()
	for _, sl := range a.current.slots {
		if !sl.next.IsZero() && (s.Next.IsZero() || sl.next.Before(s.Next)) {
			s.Next = sl.next
		}
	}
	for _, sl := range counted {
		if sl.drone != nil {
			s.Drones++
		}
		if sl.crashes >= slowFrom {
			crashed++
		}
	}
	s.Snapshot, s.Wanted = a.current.version.Snapshot, len(counted)
	switch {
	case s.Drones > 0:
		s.Phase = runner.Started
	case crashed == s.Wanted:
		s.Phase = runner.Crashed
	default:
		s.Phase = runner.Starting
	}
	return s
}

// notify calls Options.Notify if the state has changed, and returns the state.
func (a *application) notify() runner.State {
	r := a.runner
	a.notifying.Lock()
	defer a.notifying.Unlock()
	s := a.state()
	s.Since = a.last.Since
	if s.Phase != a.last.Phase {
		s.Since = r.o.Now().UTC()
	}
	if s == a.last {
		return s
	}
	a.last = s
	if r.o.Notify != nil {
		r.notifying.Lock()
		defer r.notifying.Unlock()
		r.o.Notify(s)
	}
	return s
}

// pick returns the ready drone with the fewest requests in flight. It prefers
// drones that did not refuse connections and those of the current generation.
func (a *application) pick(client string) (t runner.Target, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	sticky := a.current != nil && a.current.version.Sticky && a.current.web > 1
	var best *drone
	if sticky && client != "" {
		best = a.current.droneOf(client)
	}
	if best == nil {
		best = a.leastBusy(a.current)
	}
	if best == nil || best.refused.Load() {
		if other := a.leastBusy(a.former); best == nil || other != nil && !other.refused.Load() {
			best = other
		}
	}
	if best == nil {
		return runner.Target{}, false
	}
	best.inFlight++
	return runner.Target{Addr: best.addr, Sticky: sticky, Done: sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		best.inFlight--
		if best.inFlight == 0 && best.drained != nil {
			close(best.drained)
		}
	})}, true
}

// droneOf returns the drone for a client of a sticky app: the one in a slot that
// depends on client alone, so that it is the same after a restart and in the next
// version. It returns nil if that is not ready. The mutex must be held.
func (g *generation) droneOf(client string) *drone {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(client))              // never fails
	d := g.slots[hash.Sum32()%uint32(g.web)].drone //nolint:gosec // a few
	if d != nil && d.refused.Load() {
		return nil
	}
	return d
}

// better reports whether d is preferred to other for the next request.
func (d *drone) better(other *drone) bool {
	if a, b := d.refused.Load(), other.refused.Load(); a != b {
		return b
	}
	return d.inFlight < other.inFlight
}

// leastBusy returns the ready web drone of g with the fewest requests in flight, if
// possible one that did not refuse connections, or nil. The mutex must be held.
func (a *application) leastBusy(g *generation) *drone {
	if g == nil {
		return nil
	}
	var best *drone
	a.next++
	web := g.slots[:g.web]
	for i := range web {
		d := web[(a.next+i)%len(web)].drone
		if d != nil && (best == nil || d.better(best)) {
			best = d
		}
	}
	return best
}

// note adds a line of the platform to the app's log; it is about a drone of a
// process, or if drone is 0, about the app.
func (a *application) note(process string, drone int, text string) {
	a.journal.Append(runner.Line{Time: a.runner.o.Now().UTC(), Process: process, Drone: drone, Stream: runner.Platform, Text: text})
}
