package processes

import (
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve/peercred"
)

const (
	// deafFor is for how long a drone must not listen on its port to count as lost: a
	// server may close its socket to bind it again, or to exit, and on a busy machine
	// that takes a while.
	deafFor = time.Second
	// recheckAfter is the time until a drone that did not listen is checked again.
	recheckAfter = 50 * time.Millisecond
)

// watch starts checking a drone that is ready, until it is ended.
func (r *Runner) watch(d *drone) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[d] = true
}

// unwatch ends the checks of a drone.
func (r *Runner) unwatch(d *drone) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, d)
}

// check checks at intervals, and soon after a refused connection, that each drone
// listens on its port, until Stop. A process may keep running without its port,
// for example if its cluster workers or its daemon have exited.
func (r *Runner) check() {
	for {
		pause := time.NewTimer(r.o.CheckEvery)
		select {
		case <-pause.C:
		case <-r.suspect:
		case <-r.ctx.Done():
			pause.Stop()
			return
		}
		pause.Stop()
		for r.checkAll() {
			again := time.NewTimer(recheckAfter)
			select {
			case <-again.C:
			case <-r.ctx.Done():
				again.Stop()
				return
			}
		}
	}
}

// checkAll checks the ports of all drones once, and reports whether one that is not lost
// yet did not listen.
func (r *Runner) checkAll() (missed bool) {
	now := r.o.Now()
	for _, d := range r.liveDrones() {
		if d.port == 0 || d.isLost() {
			continue
		}
		switch {
		case listened(d.port):
			d.silent = time.Time{}
			d.refused.Store(false)
		case d.silent.IsZero():
			d.silent, missed = now, true
		case now.Sub(d.silent) < deafFor:
			missed = true
		default:
			close(d.lost)
		}
	}
	return missed
}

// isLost reports whether the drone no longer listens on its port.
func (d *drone) isLost() bool {
	select {
	case <-d.lost:
		return true
	default:
		return false
	}
}

// Refused implements runner.Runner.
func (r *Runner) Refused(user, app, addr string) {
	a := r.known(user, app)
	if a == nil {
		return
	}
	a.mu.Lock()
	found := a.find(addr)
	a.mu.Unlock()
	if found == nil {
		return
	}
	found.refused.Store(true)
	select {
	case r.suspect <- struct{}{}:
	default: // a check is already pending
	}
}

// find returns the ready drone at an address; nil if there is none. The mutex
// must be held.
func (a *application) find(addr string) *drone {
	for _, g := range []*generation{a.current, a.former} {
		if g == nil {
			continue
		}
		for _, sl := range g.slots {
			if sl.drone != nil && sl.drone.addr == addr {
				return sl.drone
			}
		}
	}
	return nil
}

// listened reports whether a socket listens on port. It returns true if that is
// unknown.
func listened(port int) bool {
	listeners, err := peercred.Listeners(uint16(port)) //nolint:gosec // a port
	return err != nil || len(listeners) > 0
}

// ownsPort reports whether one of the app's other drones listens on port.
func (a *application) ownsPort(port int) bool {
	a.mu.Lock()
	var others []*drone
	for _, g := range []*generation{a.current, a.former} {
		if g == nil {
			continue
		}
		for _, sl := range g.slots {
			if sl.drone != nil {
				others = append(others, sl.drone)
			}
		}
	}
	a.mu.Unlock()
	for _, d := range others {
		if pids, err := d.group.Members(); err == nil && owns(pids, port) {
			return true
		}
	}
	return false
}
