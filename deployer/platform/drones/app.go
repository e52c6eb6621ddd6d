package drones

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/drones/group"
)

// application is what the Supervisor holds of one application.
type application struct {
	supervisor *Supervisor
	user, name string
	journal    *journal
	turn       chan struct{}  // held by the one call that changes what runs
	boots      chan struct{}  // held by the one drone that boots after a crash
	drains     sync.WaitGroup // of old generations; added to and waited for by who has the turn
	late       chan struct{}  // closed by who halts the app: the time for requests is over; replaced when drains are done

	mu       sync.Mutex
	current  *generation // nil where the app is stopped
	next     int         // where Pick begins to look, so that equals take turns
	restarts int
	reason   string
	crash    Crash

	telling sync.Mutex
	told    State
}

// take waits for the app's turn.
func (a *application) take(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("drones: waiting for another change of the app: %w", ctx.Err())
	}
}

func (a *application) release() { <-a.turn }

// switchTo brings up spec in place of what runs. The turn must be held.
func (a *application) switchTo(ctx context.Context, spec Spec) error {
	return a.replace(ctx, run{Spec: spec, Former: a.fallback(spec)}, func() {})
}

// replace brings up r in place of what runs, and calls ready before requests go
// to it. The turn must be held.
func (a *application) replace(ctx context.Context, r run, ready func()) error {
	s := a.supervisor
	if _, err := os.Stat(r.Dir); err != nil {
		return fmt.Errorf("drones: looking for the app's folder: %w", err)
	}
	as, err := s.Credential(a.user, a.name)
	if err != nil {
		return err
	}
	if err := s.reachable(ctx, r.Dir, as); err != nil {
		return err
	}
	g := a.newGeneration(r)
	if err := g.launch(ctx); err != nil {
		return err
	}
	if err = g.alive(); err == nil {
		// Written before the traffic moves: a server that is killed in between
		// comes back with the new snapshot, which was ready.
		ready()
		err = s.remember(a, &r)
	}
	if err != nil {
		return errors.Join(err, g.drain(s.hurry, 0, s.o.Grace)) //nolint:contextcheck // ctx may have ended, and still nothing may be left
	}
	a.mu.Lock()
	old := a.current
	a.current, a.restarts, a.reason, a.crash = g, 0, "", r.Crash
	a.mu.Unlock()
	g.hold()
	a.tell()
	if old != nil {
		old.cancel()
		a.drains.Go(func() { _ = old.drain(s.hurry, s.o.DrainTimeout, s.o.Grace) }) // it was logged
	}
	return nil
}

// halt ends what runs and returns when it has ended. The turn must be held.
func (a *application) halt(ctx context.Context, forget bool) error {
	s := a.supervisor
	var err error
	if forget {
		err = s.remember(a, nil)
	}
	a.mu.Lock()
	old := a.current
	a.current, a.restarts, a.reason, a.crash = nil, 0, "", Crash{}
	a.mu.Unlock()
	a.tell()
	late := time.AfterFunc(s.o.Grace, func() { close(a.late) }) // also for what was replaced before
	if old != nil {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.hurry, cancel)() //nolint:contextcheck // whichever ends first
		err = errors.Join(err, old.drain(ctx, s.o.Grace, s.o.Grace))
	}
	a.drains.Wait()
	if !late.Stop() {
		<-a.late
		a.late = make(chan struct{})
	}
	return err
}

// sweep ends what the app's user still runs, and removes its temporary files.
// It is for an app that has no drone: whoever lost its mark on purpose.
func (a *application) sweep(ctx context.Context) error {
	s := a.supervisor
	var err error
	if uid, ok := s.uid(a); ok && s.OwnUsers() {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err = group.EndAll(ctx, func() ([]int, error) { return group.FindUnmarked(uid) })
		err = errors.Join(err, group.Collect())
	}
	return errors.Join(err, os.RemoveAll(filepath.Join(s.around(a.user, a.name), "tmp")))
}

// state returns how the app stands, without the time.
func (a *application) state() State {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := State{User: a.user, App: a.name, Phase: Stopped, Restarts: a.restarts, Reason: cmp.Or(a.reason, a.crash.Reason), Crash: a.crash}
	if a.current == nil {
		return st
	}
	for _, sl := range a.current.slots {
		if sl.drone != nil {
			st.Drones++
		}
	}
	st.Snapshot, st.Wanted = a.current.spec.Snapshot, len(a.current.slots)
	if a.current.former != nil {
		st.Former = a.current.former.Snapshot
	}
	switch {
	case st.Drones > 0:
		st.Phase = Started
	case a.current.gone() == st.Wanted && a.current.former == nil:
		st.Phase = Crashed
	default:
		st.Phase = Starting
	}
	return st
}

// tell reports the state where it has changed.
func (a *application) tell() State {
	s := a.supervisor
	a.telling.Lock()
	defer a.telling.Unlock()
	st := a.state()
	st.Since = a.told.Since
	if st.Phase != a.told.Phase {
		st.Since = s.o.Now().UTC()
	}
	if st == a.told {
		return st
	}
	a.told = st
	if s.o.Notify != nil {
		s.notifying.Lock()
		defer s.notifying.Unlock()
		s.o.Notify(st)
	}
	return st
}

// pick returns the ready drone with the fewest requests in flight.
func (a *application) pick() (addr string, done func(), ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil {
		return "", nil, false
	}
	var best *drone
	slots := a.current.slots
	a.next++
	for i := range slots {
		d := slots[(a.next+i)%len(slots)].drone
		if d != nil && (best == nil || d.inFlight < best.inFlight) {
			best = d
		}
	}
	if best == nil {
		return "", nil, false
	}
	best.inFlight++
	return best.addr, sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		best.inFlight--
		if best.inFlight == 0 && best.drained != nil {
			close(best.drained)
		}
	}), true
}

// ready returns the drones that are ready.
func (a *application) ready() []*drone {
	a.mu.Lock()
	defer a.mu.Unlock()
	var drones []*drone
	if a.current != nil {
		for _, sl := range a.current.slots {
			if sl.drone != nil {
				drones = append(drones, sl.drone)
			}
		}
	}
	return drones
}
