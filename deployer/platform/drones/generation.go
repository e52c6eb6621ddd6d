package drones

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/drones/group"
)

// generation is the set of drones that one Switch brought up. Each of its
// slots is kept by a goroutine, which starts the slot's drone again when it
// ends.
type generation struct {
	app    *application
	spec   Spec
	former *Spec // what ran before, while this is on trial; guarded by the app's mutex
	slots  []*slot
	ctx    context.Context // the lifetime of the keepers, not of a call
	cancel context.CancelFunc
	keep   sync.WaitGroup
}

// slot is the place of one drone.
type slot struct {
	number  int
	crashes pacer // of who keeps it

	// Guarded by the app's mutex.
	drone *drone // nil while there is none that is ready
	gone  bool   // given up
}

func (a *application) newGeneration(r run) *generation {
	g := &generation{app: a, spec: r.Spec, former: r.Former}
	g.ctx, g.cancel = context.WithCancel(a.supervisor.ctx)
	for i := range max(r.Drones, 1) {
		g.slots = append(g.slots, &slot{number: i + 1})
	}
	return g
}

// launch starts a drone for each slot, all at once, and returns when all are
// ready. Where one fails, none is left.
func (g *generation) launch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.ctx, cancel)() //nolint:contextcheck // whichever ends first
	var wg sync.WaitGroup
	failures := make([]error, len(g.slots))
	for i, sl := range g.slots {
		wg.Go(func() {
			d, err := g.app.launch(ctx, g.spec, sl.number)
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
	err := first(failures)
	if err == nil {
		return nil
	}
	g.cancel()
	return errors.Join(err, g.drain(g.app.supervisor.hurry, 0, g.app.supervisor.o.Grace)) //nolint:contextcheck // ctx may have ended, and still nothing may be left
}

// first returns the failure that made the others fail: the one that is not
// for the context's end.
func first(failures []error) error {
	var err error
	for _, failure := range failures {
		if failure != nil && (err == nil || errors.Is(err, context.Canceled)) {
			err = failure
		}
	}
	return err
}

// alive returns an error where a drone has exited since it was ready.
func (g *generation) alive() error {
	for _, sl := range g.slots {
		select {
		case <-sl.drone.group.Exited():
			return &StartError{
				Reason: fmt.Sprintf("drone %d exited just after it had accepted connections", sl.number),
				Lines:  sl.drone.out.last(),
			}
		default:
		}
	}
	return nil
}

// hold begins to keep the drones.
func (g *generation) hold() {
	for _, sl := range g.slots {
		g.keep.Go(func() { g.keepSlot(sl) })
	}
	if g.former != nil {
		g.keep.Go(g.prove)
	}
}

// gone returns how many of the drones were given up. The app's mutex must be
// held.
func (g *generation) gone() int {
	n := 0
	for _, sl := range g.slots {
		if sl.gone {
			n++
		}
	}
	return n
}

// keepSlot keeps the drone of sl until the generation ends or the drone is
// given up.
func (g *generation) keepSlot(sl *slot) {
	a := g.app
	o := a.supervisor.o
	for {
		a.mu.Lock()
		d := sl.drone
		a.mu.Unlock()
		var reason, enough string
		var pause time.Duration
		if d != nil {
			select {
			case <-d.group.Exited():
			case <-g.ctx.Done():
				return
			}
			a.mu.Lock()
			sl.drone = nil
			a.mu.Unlock()
			up := o.Now().Sub(d.started)
			reason = fmt.Sprintf("drone %d %s", sl.number, d.exitText(a.end(g.ctx, d, 0)))
			pause, enough = sl.crashes.crash(o, o.Now(), up)
		} else {
			var err error
			if d, err = g.boot(sl); err == nil {
				a.mu.Lock()
				sl.drone = d
				a.mu.Unlock()
				a.tell()
				continue
			}
			if g.ctx.Err() != nil {
				return
			}
			reason = err.Error()
			pause, enough = sl.crashes.fail(o, o.Now())
		}
		if enough != "" {
			g.giveUp(sl, fmt.Sprintf("%s; it was given up after %s", reason, enough))
			return
		}
		if !g.pause(sl, reason, pause) {
			return
		}
	}
}

// boots is for how long a drone that boots counts as one: then what costs the
// processor most is over, and the rest is waiting.
const boots = 2 * time.Second

// boot launches a drone for sl. Only few boot at once, so that a server with
// many apps gets up at all; and of each app only one, so that none keeps the
// others waiting.
func (g *generation) boot(sl *slot) (*drone, error) {
	var held []chan struct{}
	leave := sync.OnceFunc(func() {
		for _, places := range held {
			<-places
		}
	})
	defer leave()
	for _, places := range []chan struct{}{g.app.boots, g.app.supervisor.boots} {
		select {
		case places <- struct{}{}:
			held = append(held, places)
		case <-g.ctx.Done():
			return nil, g.ctx.Err()
		}
	}
	defer time.AfterFunc(boots, leave).Stop()
	return g.app.launch(g.ctx, g.spec, sl.number)
}

// pause waits before the next start of a drone that ended; false says that
// there is none, as the generation ends.
func (g *generation) pause(sl *slot, reason string, wait time.Duration) bool {
	a := g.app
	a.mu.Lock()
	a.restarts++
	a.reason = reason
	a.mu.Unlock()
	a.say(sl.number, fmt.Sprintf("%s; it starts again in %v", reason, wait))
	a.tell()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-g.ctx.Done():
		return false
	}
}

// drain ends the generation: its keepers, then each drone once its requests
// have ended or the time for them is over. When ctx ends, all goes at once. It
// fails where processes are left.
func (g *generation) drain(ctx context.Context, requests, grace time.Duration) error {
	g.cancel()
	g.keep.Wait()
	var wg sync.WaitGroup
	failures := make([]error, len(g.slots))
	for i, sl := range g.slots {
		g.app.mu.Lock()
		d := sl.drone
		sl.drone = nil
		var drained chan struct{}
		if d != nil {
			drained = make(chan struct{})
			if d.drained = drained; d.inFlight == 0 {
				close(drained)
			}
		}
		g.app.mu.Unlock()
		if d == nil {
			continue
		}
		wg.Go(func() {
			limit := time.NewTimer(requests)
			defer limit.Stop()
			select {
			case <-drained:
			case <-limit.C:
			case <-g.app.late:
			case <-d.group.Exited():
			case <-ctx.Done():
			}
			// How a drone exits that was told to is its own affair.
			if err := g.app.end(ctx, d, grace); errors.Is(err, group.ErrSurvivors) {
				failures[i] = fmt.Errorf("drones: ending drone %d: %w", sl.number, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(failures...)
}
