package kubernetes

import (
	"context"
	"errors"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// resume takes over the launch of v that runs, or launches v, and removes all other
// launches of the app, such as one that an earlier platform did not finish. The lock
// must be held.
func (a *application) resume(ctx context.Context, v runner.Version) (launch string, err error) {
	found, all, err := a.find(ctx, v)
	if err != nil {
		return "", err
	}
	adopted := found != ""
	if !adopted {
		found = newLaunch()
	}
	g := a.newGeneration(v, found)
	g.adopted, g.kept = adopted, true
	a.mu.Lock()
	standby := a.former
	a.current, a.former = g, nil
	a.mu.Unlock()
	a.replace(standby)
	a.space.observe(g.launch, g)
	if !adopted {
		if err := a.create(ctx, g); err != nil {
			return "", err
		}
	}
	if err := a.publish(ctx); err != nil {
		return "", err
	}
	api := a.runner.api
	if err := api.removeAll(ctx, pods, a.namespace, a.selector()+","+labelCommand); err != nil {
		return "", err
	}
	for _, other := range all {
		if other != g.launch {
			if err := a.end(ctx, other); err != nil {
				return "", err
			}
		}
	}
	a.prune(v)
	return g.launch, nil
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
	selected := service.Spec.Selector[labelLaunch]
	for _, s := range environments.Items {
		launch := s.Labels[labelLaunch]
		if ending[launch] {
			continue
		}
		all = append(all, launch)
		// Of several, the one that the Service selects gets the requests.
		if s.Annotations[annotationVersion] == identity(v) && count[launch] == want && (found == "" || launch == selected) {
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

// EndOthers removes what an earlier platform has left of apps for which Resume was not
// called. It must be called after that, and before Launch and Run are: a launch of this
// platform looks like one that was left, and both share objects.
func (r *Runner) EndOthers(ctx context.Context) {
	if err := r.endOthers(ctx); err != nil && ctx.Err() == nil {
		r.o.Logger.WarnContext(ctx, "objects of apps that do not run not removed", "error", err)
	}
}

func (r *Runner) endOthers(ctx context.Context) error {
	var environments corev1.SecretList // each launch has one
	of := selector(labelManagedBy, managedBy, labelPlatform, r.platform)
	if err := r.api.list(ctx, secrets, r.o.Namespace, of, &environments); err != nil {
		return err
	}
	left := map[place]bool{}
	for _, s := range environments.Items {
		left[place{namespace: s.Namespace, prefix: s.Labels[labelInstance], platform: r.platform}] = true
	}
	r.mu.RLock()
	for _, a := range r.apps {
		delete(left, place{namespace: a.namespace, prefix: a.prefix, platform: r.platform})
	}
	r.mu.RUnlock()
	var failures []error
	for at := range left {
		failures = append(failures, (&application{runner: r, place: at}).clear(ctx))
	}
	return errors.Join(failures...)
}
