package kubernetes

import (
	"hash/fnv"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/commands"
	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// application is the state of one app.
type application struct {
	runner *Runner
	place
	name    string
	space   *space // nil until it is first used
	journal *applog.Journal
	lock    ctxlock.Lock   // held by the call that changes what runs, or by a candidate
	drains  sync.WaitGroup // of generations that were replaced; used with the lock held
	late    chan struct{}  // closed by halt: the time for requests is over; replaced when drains are done
	left    []string       // launches of an earlier platform that could not be resumed; used with the lock held

	commands commands.Set

	publishing ctxlock.Lock
	published  string // guarded by publishing: the launch that the Service selects, as far as it is known

	mu      sync.Mutex
	current *generation     // receives the requests; nil if the app is stopped
	former  *generation     // that current replaced, while it may still serve again; nil otherwise
	ending  map[string]bool // launches that are being removed
	once    map[string]bool // launches of commands of this platform that run
	next    int             // where pick starts, so that equal drones are used in turn
	phase   runner.Phase
	since   time.Time // of phase
}

// slowFrom is the number of consecutive crashes from which on an app without a ready
// drone is reported as crashed.
const slowFrom = 5

// state returns the app's state.
func (a *application) state() runner.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := runner.State{User: a.user, App: a.name, Phase: runner.Stopped}
	if g := a.current; g != nil {
		s.Restarts, s.Reason = g.restarts, g.reason
		counted, crashed := g.counted(), 0
		for _, sl := range g.slots {
			if !sl.ready && !sl.next.IsZero() && (s.Next.IsZero() || sl.next.Before(s.Next)) {
				s.Next = sl.next
			}
		}
		for _, sl := range counted {
			if sl.ready {
				s.Drones++
			}
			if sl.crashes >= slowFrom {
				crashed++
			}
		}
		s.Snapshot, s.Wanted = g.version.Snapshot, len(counted)
		switch {
		case s.Drones > 0:
			s.Phase = runner.Started
		case crashed == s.Wanted:
			s.Phase = runner.Crashed
		default:
			s.Phase = runner.Starting
		}
	}
	if s.Phase != a.phase {
		a.phase, a.since = s.Phase, a.runner.o.Now().UTC()
	}
	s.Since = a.since
	return s
}

// pick returns the drone with the fewest requests in flight. It prefers those that are
// ready and did not refuse connections, and those of the current generation.
func (a *application) pick(client string) (t runner.Target, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	sticky := a.current != nil && a.current.version.Sticky && a.current.web > 1
	g := a.current
	var best *slot
	if sticky && client != "" {
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(client))                                          // never fails
		if sl := g.slots[hash.Sum32()%uint32(g.web)]; sl.ready && !a.refuses(sl) { //nolint:gosec // a few
			best = sl
		}
	}
	if best == nil {
		best = a.leastBusy(g)
	}
	if best == nil || a.refuses(best) {
		if other := a.leastBusy(a.former); other != nil && (best == nil || !a.refuses(other)) {
			best, g = other, a.former
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
		g.checkDrained()
	})}, true
}

// checkDrained closes drained if the generation has no requests and gets no more. The
// mutex must be held.
func (g *generation) checkDrained() {
	if !g.draining {
		return
	}
	for _, sl := range g.slots {
		if sl.inFlight > 0 {
			return
		}
	}
	select {
	case <-g.drained:
	default:
		close(g.drained)
	}
}

// refusedFor is for how long other drones are preferred to one that refused a
// connection: until then a probe has found out about it.
const refusedFor = 10 * time.Second

// refuses reports whether a drone has just refused a connection, is not ready any more,
// or has crashed while its version is on trial. The mutex must be held.
func (a *application) refuses(sl *slot) bool {
	return sl.crash != nil || sl.deaf() || !sl.refused.IsZero() && a.runner.o.Now().Sub(sl.refused) < refusedFor
}

// leastBusy returns the web drone of g with the fewest requests in flight that gets
// requests, if possible one that does not refuse, or nil. The mutex must be held.
func (a *application) leastBusy(g *generation) *slot {
	if g == nil {
		return nil
	}
	var best *slot
	a.next++
	for i := range g.web {
		sl := g.slots[(a.next+i)%g.web]
		if !sl.reachable() {
			continue
		}
		if best == nil || !a.refuses(sl) && (a.refuses(best) || sl.inFlight < best.inFlight) {
			best = sl
		}
	}
	return best
}

// refusedBy records that an address refused a connection.
func (a *application) refusedBy(addr string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range []*generation{a.current, a.former} {
		if g == nil {
			continue
		}
		for _, sl := range g.slots {
			if sl.reachable() && sl.addr == addr {
				sl.refused = a.runner.o.Now()
			}
		}
	}
}

// note adds a line of the platform to the app's log; it is about a drone of a
// process, or if drone is 0, about the app.
func (a *application) note(process string, drone int, text string) {
	a.journal.Append(runner.Line{Time: a.runner.o.Now().UTC(), Process: process, Drone: drone, Stream: runner.Platform, Text: text})
}
