package processes

import (
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve/peercred"
)

// missedChecks is how many checks in a row must find nobody listening on a
// drone's port: a server may close its socket for a moment to bind it anew.
const missedChecks = 2

// watchPort has the port of a drone that is ready be checked until it is ended.
func (r *Runner) watchPort(d *drone) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready[d] = true
}

// soon is when a drone is checked again that did not listen.
const soon = 50 * time.Millisecond

// check looks now and then whether each drone listens on its port, and soon after
// it refused a connection, until Stop. A process may live on without its port,
// such as one whose cluster or daemon is gone.
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
		for range missedChecks {
			if !r.checkAll() {
				break
			}
			again := time.NewTimer(soon)
			select {
			case <-again.C:
			case <-r.ctx.Done():
				again.Stop()
				return
			}
		}
	}
}

// checkAll checks all drones once, and reports whether one did not listen.
func (r *Runner) checkAll() (missed bool) {
	for _, d := range r.readyDrones() {
		switch {
		case listened(d.port):
			d.missed = 0
			d.refused.Store(false)
		case d.missed < missedChecks:
			missed = true
			if d.missed++; d.missed == missedChecks {
				close(d.lost)
			}
		}
	}
	return missed
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
	default: // a check is due already
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

// listened reports whether a socket listens on port; also if that can't be found
// out.
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
