package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// candidate is a generation that is ready, beside the current one. It holds the app's
// lock until Commit or Abort.
type candidate struct {
	app        *application
	generation *generation
	promoted   bool
}

// launchVersion starts v beside the current version. The lock must be held.
func (a *application) launchVersion(ctx context.Context, v runner.Version) (*candidate, error) {
	if err := a.admit(ctx, v.Order); err != nil {
		return nil, err
	}
	l, err := a.prepare(ctx, v, newLaunch())
	if err != nil {
		return nil, err
	}
	g := a.newGeneration(v, l.launch)
	a.space.observe(g.launch, g)
	if err := g.start(ctx, l); err != nil {
		a.removeSoon(g)
		return nil, err
	}
	return &candidate{app: a, generation: g}, nil
}

// Launch implements runner.Candidate.
func (c *candidate) Launch() string { return c.generation.launch }

// Promote implements runner.Candidate.
func (c *candidate) Promote() {
	a := c.app
	c.promoted = true
	a.mu.Lock()
	standby := a.former
	a.former, a.current = a.current, c.generation
	a.mu.Unlock()
	a.publishSoon()
	a.replace(standby)
}

// Watch implements runner.Candidate.
func (c *candidate) Watch(ctx context.Context, d time.Duration) error {
	trial, cancel := context.WithCancel(ctx)
	defer cancel()
	life := c.app.runner.ctx
	defer context.AfterFunc(life, cancel)() //nolint:contextcheck // whichever ends first
	if err := c.generation.watch(trial, d); err != nil {
		return err
	}
	if err := cmp.Or(ctx.Err(), life.Err()); err != nil {
		return fmt.Errorf("kubernetes: watching the new version: %w", err)
	}
	return nil
}

// Commit implements runner.Candidate.
func (c *candidate) Commit(standby time.Duration) {
	a := c.app
	defer a.lock.Release()
	if !c.promoted {
		c.Promote()
	}
	c.generation.keep()
	a.mu.Lock()
	old := a.former
	if standby <= 0 {
		a.former = nil
	}
	a.mu.Unlock()
	switch {
	case old == nil:
	case standby > 0:
		a.runner.background(func() { a.standBy(old, standby) })
	default:
		a.replace(old)
	}
	if left := a.left; left != nil {
		a.left = nil
		a.runner.background(func() { a.removeOthers(left) })
	}
	a.prune(c.generation.version)
}

// standBy ends a generation that was replaced after some time, unless another call
// does so before.
func (a *application) standBy(old *generation, d time.Duration) {
	limit := time.NewTimer(d)
	defer limit.Stop()
	select {
	case <-limit.C:
	case <-a.runner.ctx.Done():
		return // the next platform removes it
	}
	if a.lock.Acquire(a.runner.ctx) != nil {
		return
	}
	defer a.lock.Release()
	a.mu.Lock()
	still := a.former == old
	if still {
		a.former = nil
	}
	a.mu.Unlock()
	if still {
		a.replace(old)
	}
}

// Abort implements runner.Candidate.
func (c *candidate) Abort() {
	a := c.app
	defer a.lock.Release()
	if c.promoted {
		a.mu.Lock()
		a.current, a.former = a.former, nil
		a.mu.Unlock()
		a.publishSoon()
	}
	a.replace(c.generation)
}

// replace ends a generation that gets no new requests, once its requests have ended.
// The lock must be held.
func (a *application) replace(old *generation) {
	if old == nil {
		return
	}
	a.mu.Lock()
	old.kept, old.draining, a.ending[old.launch] = false, true, true
	old.checkDrained()
	a.mu.Unlock()
	late := a.late
	a.drains.Add(1)
	a.runner.background(func() {
		defer a.drains.Done()
		limit := time.NewTimer(a.runner.o.DrainTimeout)
		defer limit.Stop()
		select {
		case <-old.drained:
		case <-limit.C:
		case <-late:
		case <-a.runner.ctx.Done():
			return // the next platform removes it
		}
		a.remove(old)
	}, a.drains.Done)
}

// remove removes a generation, after the Service has stopped to select it. If the API
// is away, it is tried until the platform stops; the next one removes what is left.
func (a *application) remove(old *generation) {
	r := a.runner
	err := a.publish(r.ctx)
	if err != nil && !a.maySelect(r.ctx, old.launch) {
		err = nil // the cluster refuses to change the Service, which was logged
	}
	if err == nil {
		err = a.end(r.ctx, old.launch)
	}
	a.space.forget(old.launch)
	a.mu.Lock()
	delete(a.ending, old.launch)
	a.mu.Unlock()
	if err != nil && r.ctx.Err() == nil {
		r.o.Logger.Error("objects of a version not removed", "user", a.user, "app", a.name, "snapshot", old.version.Snapshot, "launch", old.launch, "error", err)
	}
}

// maySelect reports whether the Service selects a launch, or that is not known.
func (a *application) maySelect(ctx context.Context, launch string) bool {
	var service corev1.Service
	err := a.runner.api.get(ctx, services, a.namespace, a.prefix, &service)
	return err != nil && !notFound(err) || service.Spec.Selector[labelLaunch] == launch
}

// removeSoon removes a generation. If the API is away, it goes on in the background.
func (a *application) removeSoon(old *generation) {
	a.mu.Lock()
	a.ending[old.launch] = true
	a.mu.Unlock()
	a.runner.soon(a.runner.ctx, func() { a.remove(old) })
}

// publishLimit is how long Promote waits until the Service and the route have changed.
const publishLimit = 10 * time.Second

// soon runs do, and returns when that has ended, or after publishLimit, or when ctx ends:
// then do goes on in the background.
func (r *Runner) soon(ctx context.Context, do func()) {
	done := make(chan struct{})
	r.background(func() {
		defer close(done)
		do()
	}, func() { close(done) })
	limit := time.NewTimer(publishLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// publishSoon has the Service select the current launch. If the API is away, it goes
// on in the background: the platform's router does not depend on it.
func (a *application) publishSoon() {
	r := a.runner
	ctx, cancel := context.WithTimeout(r.ctx, publishLimit)
	defer cancel()
	err := a.publish(ctx)
	if err == nil || r.ctx.Err() != nil {
		return
	}
	r.o.Logger.Error("Service not changed", "user", a.user, "app", a.name, "error", err)
	if ctx.Err() != nil {
		r.background(func() { _ = a.publish(r.ctx) }) // it was logged
	}
}

// publish has the Service select the current launch, if that has a web process, and
// changes the route. A Service that a later start has changed is left as it is.
func (a *application) publish(ctx context.Context) error {
	g, err := a.selectCurrent(ctx)
	if g == nil || err != nil {
		return err
	}
	a.runner.soon(ctx, func() { a.reroute(g) }) //nolint:contextcheck // it goes on when ctx has ended
	return nil
}

// selectCurrent has the Service select the current launch, and returns it; nil if it
// did so before, or has no web process.
func (a *application) selectCurrent(ctx context.Context) (selected *generation, err error) {
	if err := a.publishing.Acquire(ctx); err != nil {
		return nil, err
	}
	defer a.publishing.Release()
	a.mu.Lock()
	g := a.current
	a.mu.Unlock()
	if g == nil || g.web == 0 || a.published == g.launch {
		return nil, nil
	}
	for {
		service := a.service(g.launch)
		if err := a.fence(ctx, service, g.version.Order); err != nil {
			return nil, err
		}
		err := a.runner.api.apply(ctx, services, a.namespace, a.prefix, service)
		if hasCode(err, http.StatusConflict) {
			continue // it has just been changed: look again whether that was a later start
		}
		if err != nil {
			return nil, err
		}
		a.published = g.launch
		return g, nil
	}
}

// reroute applies the route of a launch that the Service selects. While the cluster can't,
// it is tried until the Service selects another one, the app is halted, or the platform
// stops.
func (a *application) reroute(g *generation) {
	r := a.runner
	for away := false; ; away = true {
		err := a.tryRoute(g)
		switch late := errors.Is(err, context.DeadlineExceeded); {
		case err == nil || r.ctx.Err() != nil:
			return
		case !late:
			a.note("", 0, "the route to the app was not changed: "+err.Error())
			r.o.Logger.Error("route not changed", "user", a.user, "app", a.name, "error", err)
			return
		case !away:
			r.o.Logger.Warn("route not changed yet; it is tried again until the cluster accepts or refuses it", "user", a.user, "app", a.name, "error", err)
		}
		pause := time.NewTimer(lastRetry)
		select {
		case <-pause.C:
		case <-r.ctx.Done():
			pause.Stop()
			return
		}
	}
}

// tryRoute applies the route of a launch if the Service selects that. It fails with
// [context.DeadlineExceeded] if the cluster can't within publishLimit: it must not keep
// others from changing the Service for long.
func (a *application) tryRoute(g *generation) error {
	ctx, cancel := context.WithTimeout(a.runner.ctx, publishLimit)
	defer cancel()
	if err := a.publishing.Acquire(ctx); err != nil {
		return err
	}
	defer a.publishing.Release()
	if a.published != g.launch {
		return nil
	}
	return a.route(ctx, g.version)
}

// fence prepares an update of the Service so that it changes nothing if a later start
// has changed it.
func (a *application) fence(ctx context.Context, next *corev1.Service, order string) error {
	var now corev1.Service
	err := a.runner.api.get(ctx, services, a.namespace, a.prefix, &now)
	if err != nil && !notFound(err) {
		return err
	}
	if now.Annotations[annotationOrder] > order {
		return core.NewError(core.CodePlatformSuperseded, "", nil)
	}
	next.ResourceVersion = now.ResourceVersion
	next.Annotations = map[string]string{annotationOrder: order}
	return nil
}

// admit fails if a later start has changed the app.
func (a *application) admit(ctx context.Context, order string) error {
	if order == "" {
		return nil
	}
	err := a.fence(ctx, a.service(""), order)
	if hasCode(err, http.StatusForbidden) && a.runner.o.Namespace == "" {
		return nil // the namespace may not exist
	}
	return err
}

// prune removes the images of snapshots that the app does not have any more.
func (a *application) prune(v runner.Version) {
	r := a.runner
	if len(v.Snapshots) == 0 {
		return
	}
	r.background(func() {
		if err := r.images.Prune(r.ctx, a.user, a.name, v.Snapshots); err != nil && r.ctx.Err() == nil && !errors.Is(err, context.Canceled) {
			r.o.Logger.Warn("images of removed snapshots not deleted", "user", a.user, "app", a.name, "error", err)
		}
	})
}
