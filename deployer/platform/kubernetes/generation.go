package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// generation is the set of drones of one launch.
type generation struct {
	app     *application
	launch  string // identifies it
	version runner.Version
	mask    *applog.Mask
	slots   []*slot // those of the web process first
	web     int     // number of slots of the web process
	drained chan struct{}
	adopted bool // an earlier platform launched it: crashes that its pods have had are not new

	// Guarded by the app's mutex.
	kept     bool          // it runs: its crashes are reported
	draining bool          // it gets no new requests
	changed  chan struct{} // closed at the next change
	restarts int
	reason   string
}

// slot is the place of one drone: a pod, and the one that replaces it. All but the
// first two are guarded by the app's mutex.
type slot struct {
	process string // name; "" for the web process
	number  int    // counted from 1 within its process

	pod       *corev1.Pod // nil if it does not exist
	addr      string
	ready     bool      // it gets requests; without a port, it runs
	begun     bool      // its container has been started
	stuck     time.Time // since when its container could not be started; zero if that is not so
	lost      string    // the container that was ready and then was not, though it ran
	lostAt    time.Time // since when it was not
	recovered time.Time // when that container was ready again; zero if it was not
	deafSince time.Time // when the runner learned that it was not, by its own clock
	refused   time.Time
	dead      string // the container whose end has been seen
	crashes   int    // consecutive
	next      time.Time
	crash     *exit // the last one, of a generation that is not kept yet

	inFlight int
}

// exit is how a drone ended.
type exit struct {
	slot  *slot
	pod   string
	end   *corev1.ContainerStateTerminated
	text  string // the predicate of a sentence
	pause time.Duration
	again bool
}

func (a *application) newGeneration(v runner.Version, launch string) *generation {
	g := &generation{app: a, launch: launch, version: v, mask: applog.NewMask(v.Env), drained: make(chan struct{}), changed: make(chan struct{})}
	drones := max(v.Drones, 1)
	if hasWeb(v) {
		for i := range drones {
			g.slots = append(g.slots, &slot{number: i + 1})
		}
		g.web, drones = drones, 1
	}
	for _, name := range processNames(v) {
		for i := range drones {
			g.slots = append(g.slots, &slot{process: name, number: i + 1})
		}
	}
	return g
}

// replicas returns the number of drones of a process.
func (g *generation) replicas(process string) int {
	n := 0
	for _, sl := range g.slots {
		if sl.process == process {
			n++
		}
	}
	return n
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

// observe implements observer.
func (g *generation) observe(p *corev1.Pod, gone bool) {
	a := g.app
	a.mu.Lock()
	sl := g.slotOf(p, gone)
	var crash *exit
	var was, is bool
	if sl != nil {
		was = sl.deaf()
		crash = g.update(sl, p, gone)
		is = sl.deaf()
	}
	close(g.changed)
	g.changed = make(chan struct{})
	a.mu.Unlock()
	var from *source
	if sl != nil {
		from = &source{process: sl.process, drone: sl.number, mask: g.mask, write: a.journal.Append}
	}
	a.runner.logs.follow(a, p, gone, from)
	if is && !was {
		a.runner.o.Logger.Info("drone not ready any more", "user", a.user, "app", a.name, "snapshot", g.version.Snapshot, "drone", sl.number, "pod", p.Name)
	}
	if crash != nil {
		a.runner.background(func() { g.report(crash) })
	}
}

// slotOf returns the slot of a pod: the one that it has, or a free one of its
// process; nil for none. The mutex must be held.
func (g *generation) slotOf(p *corev1.Pod, gone bool) *slot {
	for _, sl := range g.slots {
		if sl.pod != nil && sl.pod.Name == p.Name {
			return sl
		}
	}
	if gone || ended(p) {
		return nil
	}
	for _, sl := range g.slots {
		if sl.pod == nil && component(sl.process) == p.Labels[labelComponent] {
			return sl
		}
	}
	return nil
}

// update brings a slot up to date, and returns a crash to report. The mutex must be
// held.
func (g *generation) update(sl *slot, p *corev1.Pod, gone bool) *exit {
	s := status(p)
	crash := g.died(sl, p, s)
	if gone || ended(p) {
		sl.pod, sl.ready, sl.begun, sl.lost = nil, false, false, ""
		return crash
	}
	if sl.pod == nil || sl.pod.UID != p.UID {
		sl.refused = time.Time{}
	}
	before := sl.pod
	sl.pod = p
	runs := s.State.Running != nil
	sl.begun = sl.begun || runs || lastExit(s) != nil
	was := sl.ready
	if sl.process == "" {
		sl.addr = net.JoinHostPort(p.Status.PodIP, strconv.Itoa(port))
		sl.ready = runs && p.Status.PodIP != "" && condition(p, corev1.PodReady).Status == corev1.ConditionTrue
	} else {
		sl.ready = runs
	}
	switch {
	case sl.ready && !was:
		sl.refused, sl.next = time.Time{}, time.Time{}
		sl.recovered = condition(p, corev1.PodReady).LastTransitionTime.Time
	case was && !sl.ready && runs && s.ContainerID == status(before).ContainerID:
		sl.lost, sl.lostAt, sl.recovered = s.ContainerID, condition(p, corev1.PodReady).LastTransitionTime.Time, time.Time{}
		sl.deafSince = g.app.runner.o.Now()
	}
	return crash
}

// deaf reports whether the drone is not ready any more, though its container runs. The
// mutex must be held.
func (s *slot) deaf() bool { return s.lost != "" && s.recovered.IsZero() }

// reachable reports whether a drone may get requests: one that is not ready any more may
// still answer, see [generation.deafTooLong]. The mutex must be held.
func (s *slot) reachable() bool { return s.ready || s.deaf() }

// endedDeaf reports whether a container was not ready any more when it ended. A kubelet
// that is busy probes one that has ended, before it learns of the end. It calls one that
// it has ended for its probes ready again, for a moment. The mutex must be held.
func (s *slot) endedDeaf(end *corev1.ContainerStateTerminated) bool {
	return s.lost != "" && s.lost == end.ContainerID && s.lostAt.Before(end.FinishedAt.Time) && (s.recovered.IsZero() || !s.recovered.Before(end.FinishedAt.Time))
}

// steady is for how long a drone must have been up so that its next crash is the
// first one.
const steady = time.Minute

// died looks whether a container has ended since the last change. The mutex must be
// held.
func (g *generation) died(sl *slot, p *corev1.Pod, s corev1.ContainerStatus) *exit {
	end := lastExit(s)
	if end == nil || end.ContainerID == sl.dead {
		return nil
	}
	sl.dead = end.ContainerID
	if p.DeletionTimestamp != nil || g.adopted && sl.pod == nil {
		return nil // it was ended on purpose, or before this platform
	}
	if sl.crashes++; end.FinishedAt.Sub(end.StartedAt.Time) >= steady {
		sl.crashes = 1
	}
	crash := &exit{slot: sl, pod: p.Name, end: end, text: g.exitText(sl, end), again: sl.crashes > 1, pause: pauseAfter(sl.crashes)}
	sl.next = g.app.runner.o.Now().Add(crash.pause).UTC()
	sl.lost = ""
	if !g.kept {
		sl.crash = crash
		return nil
	}
	g.count(crash)
	return crash
}

// count adds a crash to the state. The mutex must be held.
func (g *generation) count(crash *exit) {
	g.restarts++
	g.reason = crash.slot.title() + " " + crash.text
}

// Pauses of the kubelet before it starts a container again.
const (
	firstPause = 10 * time.Second
	longPause  = 5 * time.Minute
)

// pauseAfter returns the pause after a number of consecutive crashes. The first one has
// nearly none.
func pauseAfter(crashes int) time.Duration {
	if crashes <= 1 {
		return time.Second
	}
	return min(firstPause<<min(crashes-2, 10), longPause)
}

// exitText describes how a container ended, as the predicate of a sentence. The mutex
// must be held.
func (g *generation) exitText(sl *slot, end *corev1.ContainerStateTerminated) string {
	limit := fmt.Sprintf("the limit is %d MiB; raise it by `webhooks apps limits`", cmp.Or(g.version.Limits.Memory, g.app.runner.o.Memory)>>20)
	switch {
	case end.Reason == "OOMKilled":
		return "needed more memory than an app may have, and was ended (" + limit + ")"
	case sl.endedDeaf(end) && g.version.Health != "":
		return "was ended, as it did not accept connections on its port any more or its health path failed"
	case sl.endedDeaf(end):
		return deafText
	case end.ExitCode == 128+int32(syscall.SIGKILL): // the kubelet may learn of the end before it learns why
		return exitText(end.ExitCode) + ", most likely because it needed more memory than an app may have (" + limit + ")"
	}
	return exitText(end.ExitCode)
}

func exitText(code int32) string {
	if code > 128 && code < 128+65 {
		signal := syscall.Signal(code - 128)
		return fmt.Sprintf("was ended by signal %d (%v)", int(signal), signal)
	}
	return fmt.Sprintf("exited with code %d", code)
}

// report reports a crash.
func (g *generation) report(crash *exit) {
	a, sl := g.app, crash.slot
	r := a.runner
	ctx, cancel := context.WithTimeout(r.ctx, detailLimit)
	defer cancel()
	detail := a.lastLines(ctx, g.mask, crash.pod, crash.end)
	reason := sl.title() + " " + crash.text
	a.note(sl.process, sl.number, fmt.Sprintf("%s; it starts again in about %v", reason, crash.pause))
	r.o.Logger.Warn("drone crashed", "user", a.user, "app", a.name, "snapshot", g.version.Snapshot,
		"process", sl.process, "drone", sl.number, "pod", crash.pod, "reason", reason)
	r.o.Crashed(runner.Crash{
		User: a.user, App: a.name, Snapshot: g.version.Snapshot, Launch: g.launch, Process: sl.process, Drone: sl.number,
		Reason: reason, Detail: detail, Pause: crash.pause, Again: crash.again,
	})
}

// keep has the generation run: from then on its crashes are reported.
func (g *generation) keep() {
	a := g.app
	var missed []*exit
	a.mu.Lock()
	g.kept = true
	for _, sl := range g.slots {
		if sl.crash != nil {
			g.count(sl.crash)
			missed = append(missed, sl.crash)
			sl.crash = nil
		}
	}
	a.mu.Unlock()
	for _, crash := range missed {
		a.runner.background(func() { g.report(crash) })
	}
}
