package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes/image"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// prepare makes the image of a version and the objects that its pods need, and returns
// a description of a launch.
func (a *application) prepare(ctx context.Context, v runner.Version, launch string) (launched, error) {
	r := a.runner
	l := launched{place: a.place, o: r.o, v: v, launch: launch, identity: identity(v)}
	spec := image.Spec{
		User: v.User, App: v.App, Snapshot: v.Snapshot, Dir: v.Root, Work: v.Dir, Path: v.Path, Node: v.NodeVersion,
	}
	if v.Static != "" {
		if len(r.o.Site) == 0 {
			return l, core.Errorf(core.CodePlatformStartFailed, "the platform has no program that serves static sites in a cluster")
		}
		spec.Program = r.o.Site[0]
	}
	var err error
	if l.image, err = r.images.Push(ctx, spec); err != nil {
		return l, err
	}
	if err := a.createShared(ctx); err != nil {
		return l, err
	}
	return l, r.api.apply(ctx, secrets, a.namespace, l.name(""), l.environment())
}

// createShared creates what all launches of the app share.
func (a *application) createShared(ctx context.Context) error {
	r := a.runner
	if r.o.Namespace == "" {
		if err := r.api.apply(ctx, namespaces, "", a.namespace, userNamespace(a.namespace, a.user)); err != nil {
			return err
		}
	}
	if r.o.StorageClass != "" {
		claim, err := a.claim(r.o)
		if err != nil {
			return fmt.Errorf("the size of volumes: %w", err)
		}
		if err := r.api.apply(ctx, claims, a.namespace, a.prefix, claim); err != nil {
			return err
		}
	}
	if err := a.protect(ctx); err != nil {
		return err
	}
	return r.api.apply(ctx, budgets, a.namespace, a.prefix, a.budget())
}

// start creates the Deployments of a launch, that of the web process last, and returns
// when all drones are ready.
func (g *generation) start(ctx context.Context, l launched) error {
	for _, process := range processNames(g.version) {
		if err := g.apply(ctx, l, process); err != nil {
			return err
		}
	}
	if err := g.awaitReady(ctx, g.slots[g.web:]); err != nil || g.web == 0 {
		return err
	}
	if err := g.apply(ctx, l, ""); err != nil {
		return err
	}
	if err := g.awaitReady(ctx, g.slots[:g.web]); err != nil || g.version.Static != "" {
		return err
	}
	return g.checkPlain(ctx, g.slots[0])
}

// checkPlain returns an error if a drone speaks TLS on its port. A platform that does not
// reach the pods can't see that.
func (g *generation) checkPlain(ctx context.Context, sl *slot) error {
	g.app.mu.Lock()
	addr := sl.addr
	g.app.mu.Unlock()
	return startup.CheckPlain(ctx, addr, sl.title())
}

func (g *generation) apply(ctx context.Context, l launched, process string) error {
	return g.app.runner.api.apply(ctx, deployments, l.namespace, l.name(process), l.deployment(process, g.replicas(process)))
}

const (
	// lookEvery is how often the Deployments are looked at while their pods get ready:
	// they report that pods can't be created.
	lookEvery = time.Second
	// lasting is for how long an obstacle must be there to count. Many pass, as the
	// cluster tries again: a quota that pods use which are about to end, a Secret that
	// the kubelet does not know yet, a registry that is busy.
	lasting = 30 * time.Second
)

// awaitReady returns nil once these drones are ready, or without a port, once they have
// been started.
func (g *generation) awaitReady(ctx context.Context, slots []*slot) error {
	a := g.app
	r := a.runner
	limit := time.NewTimer(r.o.StartTimeout)
	defer limit.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var refusal string
	var refused time.Time // since when there is the refusal
	var api reach
	for {
		a.mu.Lock()
		changed := g.changed
		crash, deaf := g.failure(slots)
		waiting := slices.IndexFunc(slots, func(sl *slot) bool { return !sl.done() })
		reason, runs := "", false
		if waiting >= 0 && !api.away { // while it is away, no drone can be seen to get ready
			reason, runs = slots[waiting].obstacle(r.o.Now(), api.back, r.o.ReadyTimeout, g.version.Health)
		}
		a.mu.Unlock()
		switch {
		case crash != nil && crash.slot.process == "":
			condition := "it accepted connections on PORT"
			if g.version.Health != "" {
				condition = "its health path " + g.version.Health + " answered 2xx or 3xx"
			}
			return g.explained(crash.slot, g.failed(ctx, crash.slot, crash, crash.text+" before "+condition))
		case deaf != nil: // it was ready, and is waited for with the others
			if err := g.deafTooLong(ctx, deaf); err != nil {
				return err
			}
		case waiting < 0:
			return nil
		case reason != "":
			err := g.failed(ctx, slots[waiting], nil, reason)
			if !runs {
				return err
			}
			if plain := g.checkPlain(ctx, slots[waiting]); plain != nil {
				return plain // its health path could not answer
			}
			return g.explained(slots[waiting], err)
		}
		select {
		case <-changed:
		case <-look.C:
			found, err := g.refusal(ctx)
			now := r.o.Now()
			if api.asked(err, now) {
				limit.Reset(r.o.StartTimeout)
			}
			switch {
			case api.away:
			case found == "":
				refused = time.Time{}
			case refused.IsZero():
				refused = now
			case now.Sub(later(refused, api.back)) >= lasting:
				return refusedToCreate("pods", found)
			}
			refusal = found
		case <-limit.C:
			return g.failed(ctx, slots[max(waiting, 0)], nil, g.late(slots[max(waiting, 0)], cmp.Or(refusal, fmt.Sprintf("its pod was not started within %v", r.o.StartTimeout))))
		case <-ctx.Done():
			return fmt.Errorf("kubernetes: waiting for the pods: %w", ctx.Err())
		case <-r.ctx.Done():
			return fmt.Errorf("kubernetes: waiting for the pods: %w", r.ctx.Err())
		}
	}
}

// reach is whether the API answers, as far as it was asked.
type reach struct {
	away bool
	back time.Time // when it answered again; zero if it was never away
}

// asked records the error of a call, and reports whether limits begin anew, as the API
// can't be reached.
func (a *reach) asked(err error, now time.Time) (anew bool) {
	if a.away && err == nil {
		a.back = now
	}
	a.away = err != nil
	return a.away && passing(err)
}

// done reports whether a drone is ready or, without a port, has been started. The
// mutex must be held.
func (s *slot) done() bool { return s.ready || s.process != "" && s.begun }

// refusedToCreate returns the error for pods that the cluster refuses to create.
func refusedToCreate(what, message string) error {
	return &core.Error{Code: core.CodePlatformStartFailed, Reason: "the cluster refuses to create its " + what + ": " + message}
}

// unstartable are the reasons of a container that waits because it could not be
// started.
var unstartable = []string{ //nolint:gochecknoglobals // a constant
	"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
	"CreateContainerConfigError", "CreateContainerError", "RunContainerError",
}

// obstacle returns why a drone will not become ready, as the predicate of a sentence, and
// whether its process runs; "" if it still may. What was before the API was back does not
// count. The mutex must be held.
func (s *slot) obstacle(now, back time.Time, ready time.Duration, health string) (reason string, runs bool) {
	if s.pod == nil {
		s.stuck = time.Time{}
		return "", false
	}
	at := status(s.pod)
	if w := at.State.Waiting; w == nil || !slices.Contains(unstartable, w.Reason) {
		s.stuck = time.Time{}
	} else if s.stuck.IsZero() {
		s.stuck = now
	} else if now.Sub(later(s.stuck, back)) >= lasting {
		return fmt.Sprintf("can't be started: %s: %s", w.Reason, w.Message), false
	}
	running := at.State.Running
	if running == nil || s.ready || now.Sub(later(running.StartedAt.Time, back)) < ready+time.Second { // whole seconds
		return "", running != nil
	}
	if health != "" {
		return fmt.Sprintf("was not ready within %v: GET %s, its health path, must answer 2xx or 3xx on process.env.PORT of all addresses, not only of 127.0.0.1 or localhost", ready, health), true
	}
	return fmt.Sprintf("did not accept connections on PORT within %v; listen on process.env.PORT, and on all addresses: leave out the host, or use 0.0.0.0, as in a cluster nothing reaches 127.0.0.1 or localhost of a pod", ready), true
}

// late returns why a drone was not started in time.
func (g *generation) late(sl *slot, otherwise string) string {
	g.app.mu.Lock()
	defer g.app.mu.Unlock()
	if sl.pod == nil {
		return "has no pod: " + otherwise
	}
	if c := condition(sl.pod, corev1.PodScheduled); c.Status == corev1.ConditionFalse {
		return "was not placed on a node: " + c.Message
	}
	if w := status(sl.pod).State.Waiting; w != nil {
		return fmt.Sprintf("was not started: %s: %s", w.Reason, w.Message)
	}
	return "was not ready in time: " + otherwise
}

// later returns the later one of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// refusal returns why the cluster does not create the pods of the launch; "" if it
// does. It fails if the API can't be reached.
func (g *generation) refusal(ctx context.Context) (string, error) {
	a := g.app
	var all appsv1.DeploymentList
	query := url.Values{"labelSelector": {selector(labelLaunch, g.launch)}}
	if err := a.runner.api.try(ctx, request{method: http.MethodGet, path: deployments.path(a.namespace, ""), query: query}, &all); err != nil {
		return "", err
	}
	for _, d := range all.Items {
		for _, c := range d.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue && !passes(c.Message) {
				return c.Message, nil
			}
		}
	}
	return "", nil
}

// passes reports whether a refusal to create a pod passes by itself, as what the
// cluster needs for a pod is about to be there.
func passes(message string) bool {
	for _, part := range []string{
		"error looking up service account", // of a new namespace
		"status unknown for quota",         // a new one
		"not yet ready to handle request",  // an API server that has just started
	} {
		if strings.Contains(message, part) {
			return true
		}
	}
	return false
}

// failed returns the error of a drone that did not start, with its last lines.
func (g *generation) failed(ctx context.Context, sl *slot, crash *exit, predicate string) error {
	a := g.app
	var pod string
	var end *corev1.ContainerStateTerminated
	if crash != nil {
		pod, end = crash.pod, crash.end
	} else {
		a.mu.Lock()
		if sl.pod != nil {
			pod = sl.pod.Name
		}
		a.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(ctx, detailLimit)
	defer cancel()
	return &core.Error{Code: core.CodePlatformStartFailed, Reason: sl.title() + " " + predicate, Detail: a.lastLines(ctx, g.mask, pod, end)}
}

// explained adds to the error of a drone what to change if its command is for
// development.
func (g *generation) explained(sl *slot, err error) error {
	if e, ok := errors.AsType[*core.Error](err); ok {
		e.Reason = startup.Explained(cmp.Or(g.version.Processes[sl.process], g.version.Start), e.Reason)
	}
	return err
}

// end removes the objects of a launch.
func (a *application) end(ctx context.Context, launch string) error {
	api := a.runner.api
	of := selector(labelLaunch, launch)
	return errors.Join(
		api.removeAll(ctx, deployments, a.namespace, of), api.removeAll(ctx, secrets, a.namespace, of),
	)
}
