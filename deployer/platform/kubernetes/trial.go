package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// deafText is the predicate of a sentence about a drone whose port is closed.
const deafText = "stopped listening on its port, though its process went on"

// watch returns an error when a drone has ended or does not accept connections any
// more, and nil when all have been up for d, or ctx ends. A drone that is not ready when
// d is over is waited for.
func (g *generation) watch(ctx context.Context, d time.Duration) error {
	a := g.app
	up := time.NewTimer(d)
	defer up.Stop()
	limit := time.NewTimer(d + a.runner.o.StartTimeout)
	defer limit.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for over := false; ; {
		a.mu.Lock()
		changed := g.changed
		crash, deaf := g.failure(g.slots)
		waiting := slices.IndexFunc(g.slots, func(sl *slot) bool { return !sl.done() })
		a.mu.Unlock()
		switch {
		case crash != nil:
			return g.failed(context.WithoutCancel(ctx), crash.slot, crash, crash.text+after(crash))
		case deaf != nil:
			if err := g.deafTooLong(ctx, deaf); err != nil {
				return err
			}
		case over && waiting < 0:
			return nil
		}
		select {
		case <-changed:
		case <-look.C:
		case <-up.C:
			over = true
		case <-limit.C:
			if waiting >= 0 {
				sl := g.slots[waiting]
				return g.failed(ctx, sl, nil, g.late(sl, "it did not get ready again"))
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// after returns when a drone crashed, as the end of a sentence.
func after(crash *exit) string {
	when := " soon after it had accepted connections"
	if crash.slot.process != "" {
		when = " soon after it was started"
	}
	if strings.Contains(crash.text, ", ") {
		when = "," + when
	}
	return when
}

// failure returns a crash of one of the drones, or the drone that has not been ready for
// the longest time though it was before. The mutex must be held.
func (g *generation) failure(slots []*slot) (crash *exit, deaf *slot) {
	for _, sl := range slots {
		if sl.crash != nil {
			return sl.crash, nil
		}
		if sl.deaf() && (deaf == nil || sl.deafSince.Before(deaf.deafSince)) {
			deaf = sl
		}
	}
	return nil, deaf
}

// deafTooLong returns an error if a drone that was ready has not been ready again for as
// long as one may take that is started.
//
// That a drone is not ready does not mean that it does not listen. A kubelet that is busy
// or has just been started reports one as not ready for a moment, as the status that it
// computes for a pod overtakes the result of a probe; a control plane that hears nothing
// from a node does so for all of its pods. The container of a drone that has really closed
// its port is ended by its liveness probe, and so counts as a crash.
func (g *generation) deafTooLong(ctx context.Context, sl *slot) error {
	a := g.app
	r := a.runner
	a.mu.Lock()
	pod, lost, since := sl.pod, sl.lost, sl.deafSince
	a.mu.Unlock()
	if pod == nil || r.o.Now().Sub(since) < r.o.ReadyTimeout {
		return nil
	}
	// What the runner knows may be old.
	var now corev1.Pod
	if err := r.api.try(ctx, request{method: http.MethodGet, path: pods.path(a.namespace, pod.Name)}, &now); err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		sl.deafSince = r.o.Now() // while the API is away, the drone can't be seen to get ready again
		return nil
	}
	s := status(&now)
	if now.UID != pod.UID || ended(&now) || s.State.Running == nil || s.ContainerID != lost || condition(&now, corev1.PodReady).Status == corev1.ConditionTrue {
		return nil
	}
	text := deafText + ","
	if g.version.Health != "" {
		text = fmt.Sprintf("was not ready for %v, as it did not accept connections on its port any more or GET %s, its health path, did not answer 2xx or 3xx,", r.o.ReadyTimeout, g.version.Health)
	}
	return g.failed(context.WithoutCancel(ctx), sl, nil, text+" soon after it had accepted connections")
}
