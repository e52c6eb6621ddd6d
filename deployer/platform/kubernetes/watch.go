package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// An observer is called for each change of a pod of its launch, one call at a time. It
// must not block. gone reports that the pod no longer exists.
type observer interface {
	observe(p *corev1.Pod, gone bool)
}

// space follows the pods of a namespace.
type space struct {
	api       *client
	namespace string
	selector  string
	failed    func(error) // called once the API can't be reached, and with nil when it is again

	mu        sync.Mutex
	pods      map[string]*corev1.Pod // by name
	observers map[string]observer    // by launch
	forgotten map[string]bool        // the launches whose observers are removed with their last pod
	listed    chan struct{}          // closed when the pods are known
	refused   chan struct{}          // closed when the API has refused to list them
	refusal   error                  // why; set before refused is closed
}

func newSpace(api *client, namespace, selector string, failed func(error)) *space {
	return &space{
		api: api, namespace: namespace, selector: selector, failed: failed,
		pods: map[string]*corev1.Pod{}, observers: map[string]observer{}, forgotten: map[string]bool{}, listed: make(chan struct{}), refused: make(chan struct{}),
	}
}

// observe registers the observer of a launch, and passes the pods to it that there
// are.
func (s *space) observe(launch string, o observer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observers[launch] = o
	for _, name := range slices.Sorted(maps.Keys(s.pods)) {
		if p := s.pods[name]; p.Labels[labelLaunch] == launch {
			o.observe(p, false)
		}
	}
}

// forget removes the observer of a launch, once that has no pods.
func (s *space) forget(launch string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten[launch] = true
	s.cleanUp(launch)
}

// cleanUp removes the observer of a launch that has no pods and is to be forgotten. The
// mutex must be held.
func (s *space) cleanUp(launch string) {
	if !s.forgotten[launch] {
		return
	}
	for _, p := range s.pods {
		if p.Labels[labelLaunch] == launch {
			return
		}
	}
	delete(s.observers, launch)
	delete(s.forgotten, launch)
}

// known waits until the pods have been listed. It fails if the API refuses that.
func (s *space) known(ctx context.Context) error {
	select {
	case <-s.listed:
		return nil
	default:
	}
	select {
	case <-s.listed:
		return nil
	case <-s.refused:
		return s.refusal
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commands returns the launches of the commands of an app that there are.
func (s *space) commands(prefix string) (launches []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pods {
		if _, once := p.Labels[labelCommand]; once && p.Labels[labelInstance] == prefix {
			launches = append(launches, p.Labels[labelLaunch])
		}
	}
	return launches
}

// changed records a change of a pod.
func (s *space) changed(p *corev1.Pod, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if gone {
		delete(s.pods, p.Name)
	} else {
		s.pods[p.Name] = p
	}
	if o := s.observers[p.Labels[labelLaunch]]; o != nil {
		o.observe(p, gone)
	}
	if gone {
		s.cleanUp(p.Labels[labelLaunch])
	}
}

// follow follows the pods until ctx ends. What it knows stays as it is while the API
// is away.
func (s *space) follow(ctx context.Context) {
	first := sync.OnceFunc(func() { close(s.listed) })
	pause := firstRetry
	away := false
	for ctx.Err() == nil {
		begin := time.Now()
		version, err := s.list(ctx)
		if refusal(err) && s.refusal == nil {
			s.checkRefusal(ctx)
		}
		if err == nil {
			if away {
				away = false
				s.failed(nil)
			}
			first()
			err = s.watch(ctx, version)
		}
		if ctx.Err() != nil {
			return
		}
		if time.Since(begin) > lastRetry {
			pause = firstRetry
		}
		if err != nil && !errors.Is(err, io.EOF) && !hasCode(err, http.StatusGone) && !away {
			away = true
			s.failed(err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, lastRetry)
	}
}

// checkRefusal closes refused unless the API only refuses to list the pods because it has
// just been started.
func (s *space) checkRefusal(ctx context.Context) {
	query := url.Values{"labelSelector": {s.selector}}
	err := s.api.call(ctx, request{method: http.MethodGet, path: pods.path(s.namespace, ""), query: query}, nil)
	if refusal(err) {
		s.refusal = err
		close(s.refused)
	}
}

// list lists the pods, and returns the version from which their changes follow.
func (s *space) list(ctx context.Context) (version string, err error) {
	var all corev1.PodList
	query := url.Values{"labelSelector": {s.selector}}
	if err := s.api.try(ctx, request{method: http.MethodGet, path: pods.path(s.namespace, ""), query: query}, &all); err != nil {
		return "", err
	}
	now := map[string]bool{}
	for i := range all.Items {
		now[all.Items[i].Name] = true
	}
	s.mu.Lock()
	var gone []*corev1.Pod
	for name, p := range s.pods {
		if !now[name] {
			gone = append(gone, p)
		}
	}
	s.mu.Unlock()
	// Pods that are gone or end come first: others are in their place.
	for _, p := range gone {
		s.changed(p, true)
	}
	for _, ends := range []bool{true, false} {
		for i := range all.Items {
			if p := &all.Items[i]; ended(p) == ends {
				s.changed(p, false)
			}
		}
	}
	return all.ResourceVersion, nil
}

// watchLimit is for how long one request watches; the API server ends it a little
// earlier. A connection that is lost without a sign is noticed by then.
const watchLimit = 5 * time.Minute

// watch follows the changes since a version. It returns io.EOF when the API ends the
// request, as it does from time to time.
func (s *space) watch(ctx context.Context, version string) error {
	ctx, cancel := context.WithTimeout(ctx, watchLimit)
	defer cancel()
	query := url.Values{
		"labelSelector": {s.selector}, "watch": {"true"}, "resourceVersion": {version}, "allowWatchBookmarks": {"true"}, "timeoutSeconds": {"240"},
	}
	body, err := s.api.open(ctx, request{method: http.MethodGet, path: pods.path(s.namespace, ""), query: query})
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // only read
	for decoder := json.NewDecoder(body); ; {
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := decoder.Decode(&event); err != nil {
			return err
		}
		switch event.Type {
		case "ADDED", "MODIFIED", "DELETED":
			p := &corev1.Pod{}
			if err := json.Unmarshal(event.Object, p); err != nil {
				return err
			}
			s.changed(p, event.Type == "DELETED")
		case "ERROR":
			refusal := &statusError{}
			if err := json.Unmarshal(event.Object, &refusal.Status); err != nil {
				return err
			}
			return refusal
		}
	}
}

// status returns the state of the app's container in a pod.
func status(p *corev1.Pod) corev1.ContainerStatus {
	for _, s := range p.Status.ContainerStatuses {
		if s.Name == container {
			return s
		}
	}
	return corev1.ContainerStatus{}
}

// lastExit returns how the app's container in a pod ended last; nil if it has not.
func lastExit(s corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	if s.State.Terminated != nil {
		return s.State.Terminated
	}
	return s.LastTerminationState.Terminated
}

// condition returns a condition of a pod.
func condition(p *corev1.Pod, kind corev1.PodConditionType) (c corev1.PodCondition) {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

// ended reports whether a pod is being deleted or has ended for ever.
func ended(p *corev1.Pod) bool {
	return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded
}
