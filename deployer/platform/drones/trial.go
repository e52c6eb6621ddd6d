package drones

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Rollback tells of a version that crashed soon after it had replaced another
// one, which runs again.
type Rollback struct {
	User, App string
	From, To  string // snapshots
}

// fallback returns what is to run again where spec crashes: the last that has
// shown no weakness; nil for nothing.
func (a *application) fallback(spec Spec) *Spec {
	a.mu.Lock()
	defer a.mu.Unlock()
	g := a.current
	if g == nil {
		return nil
	}
	former := &g.spec
	if g.gone() == len(g.slots) || g.former != nil && a.restarts > 0 || g.spec.same(spec) {
		former = g.former
	}
	if former == nil || former.same(spec) {
		return nil
	}
	return former
}

// prove ends the trial of the generation once it has run for a while without a
// crash: what ran before it is not needed any more.
func (g *generation) prove() {
	a := g.app
	again := time.NewTicker(a.supervisor.o.Trial)
	defer again.Stop()
	for restarts := 0; ; {
		select {
		case <-again.C:
		case <-g.ctx.Done():
			return
		}
		a.mu.Lock()
		steady := a.restarts == restarts && g.steady()
		restarts = a.restarts
		a.mu.Unlock()
		if steady {
			g.proved()
			return
		}
	}
}

// steady tells whether drones run and none is waited for. The app's mutex must
// be held.
func (g *generation) steady() bool {
	running := false
	for _, sl := range g.slots {
		if sl.drone == nil && !sl.gone {
			return false
		}
		running = running || sl.drone != nil
	}
	return running
}

// proved forgets what ran before.
func (g *generation) proved() {
	a := g.app
	if a.take(g.ctx) != nil {
		return
	}
	defer a.release()
	a.mu.Lock()
	if a.current != g { // it was replaced while we waited
		a.mu.Unlock()
		return
	}
	g.former = nil
	r := run{Spec: g.spec}
	a.mu.Unlock()
	if err := a.supervisor.remember(a, &r); err != nil {
		// After a restart it is on trial again, which does little harm.
		a.supervisor.o.Logger.Warn("end of a trial not written", "user", a.user, "app", a.name, "error", err)
	}
	a.tell()
}

// giveUp notes that the drone of sl is not started again. Where it was the last
// one, and the generation is on trial, what ran before is brought back.
func (g *generation) giveUp(sl *slot, reason string) {
	a := g.app
	s := a.supervisor
	a.mu.Lock()
	sl.gone = true
	crash := Crash{Snapshot: g.spec.Snapshot, Drones: g.gone(), Reason: reason, Time: s.o.Now().UTC()}
	if a.current == g {
		a.reason, a.crash = reason, crash
	}
	a.mu.Unlock()
	a.say(sl.number, reason)
	s.o.Logger.Warn("drone given up", "user", a.user, "app", a.name, "snapshot", g.spec.Snapshot,
		"drone", sl.number, "left", len(g.slots)-crash.Drones, "reason", reason)
	a.tell()
	if crash.Drones == len(g.slots) {
		g.rollBack(crash)
	}
}

// rollBack brings back what ran before the generation, if that is on trial.
func (g *generation) rollBack(crash Crash) {
	a := g.app
	s := a.supervisor
	if a.take(g.ctx) != nil {
		return // somebody else changed what runs
	}
	defer a.release()
	a.mu.Lock()
	former, replaced := g.former, a.current != g
	a.mu.Unlock()
	if former == nil || replaced {
		return
	}
	spec := *former
	spec.Drones = g.spec.Drones
	log := s.o.Logger.With("user", a.user, "app", a.name, "snapshot", crash.Snapshot, "former", spec.Snapshot)
	reason := crash.Reason
	crash.Reason = fmt.Sprintf("snapshot %s crashed, and %s, which ran before, runs again: %s", crash.Snapshot, spec.Snapshot, reason)
	if spec.Snapshot == crash.Snapshot {
		crash.Reason = fmt.Sprintf("snapshot %s crashed with its new environment, and runs again with the one before: %s", spec.Snapshot, reason)
	}
	err := a.replace(g.ctx, run{Spec: spec, Crash: crash}, func() {
		s.o.RolledBack(Rollback{User: a.user, App: a.name, From: crash.Snapshot, To: spec.Snapshot})
	})
	switch {
	case err == nil:
		log.Warn("rolled back", "reason", reason)
		a.say(0, crash.Reason)
	case errors.Is(err, context.Canceled):
		// The server stops. The next one puts it on trial again.
	default:
		log.Error("not rolled back", "error", err)
		reason = fmt.Sprintf("%s; snapshot %s, which ran before, does not start again: %v", reason, spec.Snapshot, err)
		a.mu.Lock()
		a.reason, g.former = reason, nil // the next server may try again
		a.mu.Unlock()
		a.say(0, reason)
		a.tell()
	}
}

// say adds a line of the supervisor to the app's log; drone is 0 where it is
// about all of them.
func (a *application) say(drone int, text string) {
	a.journal.append(Line{Time: a.supervisor.o.Now().UTC(), Drone: drone, Stream: Platform, Text: text})
}
