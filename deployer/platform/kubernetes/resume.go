package kubernetes

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// resume takes over the launch of v that runs, or launches v. In the background, it has the
// Service select that, and removes all other launches of the app, such as one that an
// earlier platform did not finish: nothing that keeps the cluster from it keeps the
// platform's router from the app, or other apps from being resumed. The lock must be held.
func (a *application) resume(ctx context.Context, v runner.Version) (launch string, err error) {
	found, all, err := a.find(ctx, v)
	if err != nil {
		return "", err
	}
	adopted := found != ""
	if !adopted {
		found = newLaunch()
	}
	all = append(all, a.space.commands(a.prefix)...)
	g := a.newGeneration(v, found)
	g.adopted, g.kept = adopted, true
	a.mu.Lock()
	standby := a.former
	a.current, a.former = g, nil
	others := slices.DeleteFunc(all, func(launch string) bool {
		return launch == g.launch || a.once[launch] // one of this platform
	})
	a.mu.Unlock()
	a.replace(standby)
	a.space.observe(g.launch, g)
	if !adopted {
		if err := a.create(ctx, g); err != nil {
			a.space.forget(g.launch)
			a.left = others
			return "", err
		}
	}
	a.left = nil // they are among the others
	a.runner.background(func() { a.removeOthers(others) })
	if adopted {
		a.runner.background(func() { a.identify(g) })
	}
	a.prune(v)
	return g.launch, nil
}

// identify gives a launch that was taken over the identity that this version of the program
// gives to its version.
func (a *application) identify(g *generation) {
	r := a.runner
	name := launched{place: a.place, launch: g.launch}.name("")
	patch := map[string]any{"metadata": map[string]any{"annotations": map[string]string{annotationVersion: identity(g.version)}}}
	err := r.api.call(r.ctx, request{http.MethodPatch, secrets.path(a.namespace, name), nil, "application/merge-patch+json", patch}, nil)
	if err != nil && !notFound(err) && r.ctx.Err() == nil {
		r.o.Logger.Warn("identity of a version not changed", "user", a.user, "app", a.name, "snapshot", g.version.Snapshot, "error", err)
	}
}

// removeOthers removes launches and commands that an earlier platform has left, after the
// Service has stopped to select them.
func (a *application) removeOthers(launches []string) {
	r := a.runner
	unpublished := a.publish(r.ctx)
	var failures []error
	for _, launch := range slices.Compact(slices.Sorted(slices.Values(launches))) {
		if unpublished != nil && a.maySelect(r.ctx, launch) {
			failures = append(failures, unpublished)
			continue
		}
		command := selector(labelLaunch, launch) + "," + labelCommand
		failures = append(failures, r.api.removeAll(r.ctx, pods, a.namespace, command), a.end(r.ctx, launch))
	}
	if err := errors.Join(failures...); err != nil && r.ctx.Err() == nil {
		r.o.Logger.Error("what an earlier platform has left of an app was not removed", "user", a.user, "app", a.name, "error", err)
	}
}

// create creates the objects of a launch.
func (a *application) create(ctx context.Context, g *generation) error {
	l, err := a.prepare(ctx, g.version, g.launch)
	if err != nil {
		return err
	}
	processes := processNames(g.version)
	if g.web > 0 {
		processes = append(processes, "")
	}
	for _, process := range processes {
		if err := g.apply(ctx, l, process); err != nil {
			return err
		}
	}
	return nil
}

// find returns the launch of v that runs, "" if none does, and all launches of the app
// but those that are being removed.
func (a *application) find(ctx context.Context, v runner.Version) (found string, all []string, err error) {
	var environments corev1.SecretList
	var running appsv1.DeploymentList
	var service corev1.Service
	api := a.runner.api
	a.mu.Lock()
	ending := maps.Clone(a.ending)
	a.mu.Unlock()
	if err := api.list(ctx, secrets, a.namespace, a.selector(), &environments); err != nil {
		return "", nil, err
	}
	if err := api.list(ctx, deployments, a.namespace, a.selector(), &running); err != nil {
		return "", nil, err
	}
	if err := api.get(ctx, services, a.namespace, a.prefix, &service); err != nil && !notFound(err) {
		return "", nil, err
	}
	count := map[string]int{}
	for _, d := range running.Items {
		if launch := d.Labels[labelLaunch]; !ending[launch] {
			count[launch]++
		}
	}
	want := len(v.Processes)
	if hasWeb(v) {
		want++
	}
	known := []string{identity(v), formerIdentity(v)}
	selected := service.Spec.Selector[labelLaunch]
	for _, s := range environments.Items {
		launch := s.Labels[labelLaunch]
		if ending[launch] {
			continue
		}
		all = append(all, launch)
		// Of several, the one that the Service selects gets the requests.
		if slices.Contains(known, s.Annotations[annotationVersion]) && count[launch] == want && (found == "" || launch == selected) {
			found = launch
		}
	}
	for launch := range count {
		if !slices.Contains(all, launch) {
			all = append(all, launch)
		}
	}
	return found, all, nil
}

// endLimit is how long EndOthers takes at most.
const endLimit = time.Minute

// EndOthers removes what an earlier platform has left of apps for which neither Resume was
// called nor Note, as it is for one that could not be resumed. What the cluster keeps from
// being removed is left to the next platform. It must be called after that, and before
// Launch and Run are: a launch of this platform looks like one that was left, and both
// share objects.
func (r *Runner) EndOthers(ctx context.Context) {
	limit, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	if err := r.endOthers(limit); err != nil && ctx.Err() == nil {
		r.o.Logger.WarnContext(ctx, "objects of apps that do not run not removed", "error", err)
	}
}

func (r *Runner) endOthers(ctx context.Context) error {
	var environments corev1.SecretList // each launch has one
	of := selector(labelManagedBy, managedBy, labelPlatform, r.platform)
	if err := r.api.list(ctx, secrets, r.o.Namespace, of, &environments); err != nil {
		return err
	}
	left := map[place][]string{} // launches
	for _, s := range environments.Items {
		at := place{namespace: s.Namespace, prefix: s.Labels[labelInstance], platform: r.platform}
		left[at] = append(left[at], s.Labels[labelLaunch])
	}
	r.mu.RLock()
	for _, a := range r.apps {
		at := place{namespace: a.namespace, prefix: a.prefix, platform: r.platform}
		a.keep(left[at])
		delete(left, at)
	}
	r.mu.RUnlock()
	var failures []error
	for at := range left {
		failures = append(failures, (&application{runner: r, place: at}).clear(ctx))
	}
	return errors.Join(failures...)
}

// keep leaves launches of an earlier platform as they are until the app is started or
// halted, if it could not be resumed.
func (a *application) keep(launches []string) {
	if !a.lock.TryAcquire() {
		return // it is being resumed again
	}
	defer a.lock.Release()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current == nil {
		a.left = slices.DeleteFunc(launches, func(launch string) bool { return a.once[launch] })
	}
}
