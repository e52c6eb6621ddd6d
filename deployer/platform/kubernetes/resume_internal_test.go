package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// When EndOthers returns, it has removed what was left of apps that were not resumed,
// their Secrets last, and nothing of others.
func TestEndOthers(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var removed []string
	a := answered(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			secret := `{"metadata": {"namespace": "apps", "labels": {"app.kubernetes.io/instance": %q}}}`
			_, _ = fmt.Fprintf(w, `{"items": [`+secret+`, `+secret+`, `+secret+`]}`, "me-app", "me-left", "me-left")
			return
		}
		mu.Lock()
		defer mu.Unlock()
		removed = append(removed, r.Method+" "+r.URL.Path+" "+r.URL.Query().Get("labelSelector"))
		_, _ = fmt.Fprint(w, "{}")
	})
	r := a.runner
	r.platform = "one"
	r.apps = map[string]*application{"me/app": a}
	r.EndOthers(t.Context())
	mu.Lock()
	defer mu.Unlock()
	of := "app.kubernetes.io/instance=me-left,app.kubernetes.io/managed-by=webhooks,webhooks.nodejitsu.com/platform=one"
	want := []string{
		"DELETE /apis/apps/v1/namespaces/apps/deployments " + of,
		"DELETE /api/v1/namespaces/apps/pods " + of + ",webhooks.nodejitsu.com/command",
		"DELETE /api/v1/namespaces/apps/services/me-left ",
		"DELETE /apis/policy/v1/namespaces/apps/poddisruptionbudgets/me-left ",
		"DELETE /api/v1/namespaces/apps/secrets " + of,
	}
	if !slices.Equal(removed, want) {
		t.Errorf("removed are\n%s\nwant\n%s", strings.Join(removed, "\n"), strings.Join(want, "\n"))
	}
}

// A launch that is being removed is neither taken over nor removed at once: its requests
// go on.
func TestFindEnding(t *testing.T) {
	t.Parallel()
	v := runner.Version{Start: "server.js"}
	a := answered(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"items": [{"metadata": {"labels": {%q: "l1"}, "annotations": {%q: %q}}}], "spec": {"selector": {%q: "l1"}}}`,
			labelLaunch, annotationVersion, identity(v), labelLaunch)
	})
	for _, ending := range []bool{false, true} {
		a.ending = map[string]bool{"l1": ending}
		found, all, err := a.find(t.Context(), v)
		if err != nil || (found == "l1") == ending || (len(all) == 1) == ending {
			t.Errorf("ending %t: found %q of %q, %v", ending, found, all, err)
		}
	}
}

// A launch is taken over though the app's domains were changed, and though an earlier
// version of the program has identified it, which the platform changes.
func TestResumeKnown(t *testing.T) {
	t.Parallel()
	v := runner.Version{
		User: "me", App: "app", Snapshot: "1.0.0", Subdomain: "app", Domains: []string{"example.org"}, Root: "/data/builds/1", Dir: "/data/builds/1/app",
		Node: "/opt/node/bin/node", NodeVersion: "24.1.0", Path: []string{"/opt/yarn"}, Start: "server.js",
		Health: "/healthz", Env: map[string]string{"COLOR": "red", "EMPTY": ""},
		Sticky: true, StopFirst: true, Limits: runner.Limits{Memory: 512 << 20, CPUs: 0.5}, Drones: 2, Order: "5",
	}
	moved := v
	moved.Domains, moved.Subdomain, moved.Root, moved.Order = []string{"example.com"}, "two", "/srv", "6"
	for name, test := range map[string]struct {
		identity string
		v        runner.Version
	}{
		"the same":                          {identity(v), v},
		"domains changed":                   {identity(v), moved},
		"an earlier version of the program": {"1c8e0460096091ce0325124890e980fdce334efc6224a999ed1bde935f32b351", v},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				changes := make(chan string, 100)
				a := left(t, map[string]string{"l1": test.identity}, func(w http.ResponseWriter, r *http.Request) {
					text, _ := io.ReadAll(r.Body)
					changes <- r.Method + " " + r.URL.Path + " " + string(text)
					_, _ = fmt.Fprint(w, "{}")
				})
				if launch, err := a.resume(t.Context(), test.v); err != nil || launch != "l1" {
					t.Errorf("resumed %q, %v", launch, err)
				}
				time.Sleep(time.Hour)
				close(changes)
				want := fmt.Sprintf(`PATCH /api/v1/namespaces/apps/secrets/me-app-l1 {"metadata":{"annotations":{%q:%q}}}`, annotationVersion, identity(v))
				if all := collect(changes); !slices.Contains(all, want) || slices.ContainsFunc(all, func(c string) bool { return strings.HasPrefix(c, http.MethodDelete) }) {
					t.Errorf("changes are\n%s\nwant\n%s", strings.Join(all, "\n"), want)
				}
			})
		})
	}
}

// collect returns what a closed channel has.
func collect(c <-chan string) (all []string) {
	for one := range c {
		all = append(all, one)
	}
	return all
}

// What can't be removed does not keep the platform from being opened.
func TestEndOthersLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := left(t, map[string]string{"l1": ""}, func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusInternalServerError, "failed calling webhook")
		})
		begin := time.Now()
		a.runner.EndOthers(t.Context())
		if took := time.Since(begin); took != endLimit {
			t.Errorf("it took %v, want %v", took, endLimit)
		}
	})
}

// An app that could not be resumed is left as it is until it is started, or is removed.
func TestLeft(t *testing.T) {
	t.Parallel()
	for _, start := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var removed []string
			a := left(t, map[string]string{"l1": "unknown"}, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/deployments") {
					removed = append(removed, r.URL.Query().Get("labelSelector"))
				}
				_, _ = fmt.Fprint(w, "{}")
			})
			r := a.runner
			r.apps = map[string]*application{"me/app": a}
			check := func(when string, want ...string) {
				t.Helper()
				time.Sleep(time.Hour)
				mu.Lock()
				defer mu.Unlock()
				if !slices.Equal(removed, want) {
					t.Errorf("%s: removed are %q, want %q", when, removed, want)
				}
			}
			r.EndOthers(t.Context())
			check("when others were removed")
			if !start {
				if err := a.halt(t.Context()); err != nil {
					t.Error(err)
				}
				check("when it was halted", a.selector())
				return
			}
			if err := a.lock.Acquire(t.Context()); err != nil {
				t.Error(err)
			}
			(&candidate{app: a, generation: a.newGeneration(runner.Version{Start: "server.js"}, "l2")}).Commit(0)
			check("when it was started", selector(labelLaunch, "l1"))
		})
	}
}

// left returns an app of which an earlier platform has left launches, by their identities,
// in a cluster that answers changes by a handler.
func left(t *testing.T, launches map[string]string, change http.HandlerFunc) *application {
	t.Helper()
	of := func(launch string) metav1.ObjectMeta {
		labels := map[string]string{labelLaunch: launch, labelInstance: "me-app"}
		return metav1.ObjectMeta{Namespace: "apps", Labels: labels, Annotations: map[string]string{annotationVersion: launches[launch]}}
	}
	a := answered(t, func(w http.ResponseWriter, r *http.Request) {
		var answer any = struct{}{}
		switch {
		case r.Method != http.MethodGet:
			change(w, r)
			return
		case strings.HasSuffix(r.URL.Path, "/secrets"):
			var all corev1.SecretList
			for launch := range launches {
				all.Items = append(all.Items, corev1.Secret{ObjectMeta: of(launch)})
			}
			answer = all
		case strings.HasSuffix(r.URL.Path, "/deployments"):
			var all appsv1.DeploymentList
			for launch := range launches {
				all.Items = append(all.Items, appsv1.Deployment{ObjectMeta: of(launch)})
			}
			answer = all
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
	a.runner.open = true
	a.lock, a.publishing, a.late, a.journal = ctxlock.New(1), ctxlock.New(1), make(chan struct{}), applog.New(t.TempDir())
	a.space = newSpace(a.runner.api, "apps", "", nil)
	pod := webPod(look{ready: true, at: 1}, "10.0.0.1")
	pod.Labels[labelLaunch] = "l1"
	a.space.changed(pod, false)
	return a
}

// An app answers though the cluster can't change its Service and its route, which happens
// when it can.
// What else there is of the app is removed, but not a command of this platform.
func TestResumeWithoutRoute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := runner.Version{User: "me", App: "app", Start: "server.js"}
		var mu sync.Mutex
		broken := true
		var removed []string
		routed := false
		a := left(t, map[string]string{"l1": identity(v), "l2": "another", "mine": ""}, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			switch route := strings.Contains(r.URL.Path, "ingresses"); {
			case broken && r.Method == http.MethodPatch:
				refuse(w, http.StatusInternalServerError, "failed calling webhook")
				return
			case route:
				routed = true
			case r.Method == http.MethodDelete:
				removed = append(removed, r.URL.Path+" "+r.URL.Query().Get("labelSelector"))
			}
			_, _ = fmt.Fprint(w, "{}")
		})
		a.runner.o.IngressClass = "nginx"
		a.once = map[string]bool{"mine": true}
		command := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "c1", Labels: map[string]string{labelInstance: a.prefix, labelLaunch: "c1", labelCommand: "run"}}}
		a.space.changed(command, false)
		if launch, err := a.resume(t.Context(), v); err != nil || launch != "l1" {
			t.Errorf("resumed %q, %v", launch, err)
		}
		if target, ok := a.pick(""); !ok || target.Addr != "10.0.0.1:8080" {
			t.Errorf("picked %+v", target)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		mu.Lock()
		broken = false
		mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if !routed {
			t.Error("the route is not applied")
		}
		var want []string
		for _, launch := range []string{"c1", "l2"} {
			of := "webhooks.nodejitsu.com/launch=" + launch
			want = append(want,
				"/api/v1/namespaces/apps/pods "+of+",webhooks.nodejitsu.com/command",
				"/apis/apps/v1/namespaces/apps/deployments "+of,
				"/api/v1/namespaces/apps/secrets "+of)
		}
		if !slices.Equal(removed, want) {
			t.Errorf("removed are\n%s\nwant\n%s", strings.Join(removed, "\n"), strings.Join(want, "\n"))
		}
	})
}

// What waits for the pods of a namespace learns that the platform may not list them,
// unless the API server has just been started.
func TestKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		begin := time.Now()
		ready, allowed := time.Minute, time.Hour
		a := answered(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			switch since := time.Since(begin); {
			case r.URL.Path == "/readyz" && since < ready:
				w.WriteHeader(http.StatusInternalServerError)
			case r.URL.Path != "/readyz" && since < allowed:
				refuse(w, http.StatusForbidden, "pods is forbidden")
			case r.URL.Query().Has("watch"):
				<-r.Context().Done()
			default:
				_, _ = fmt.Fprint(w, `{"items": []}`)
			}
		})
		s := newSpace(a.runner.api, "apps", "", func(error) {})
		ctx, cancel := context.WithCancel(t.Context())
		var following sync.WaitGroup
		following.Go(func() { s.follow(ctx) })
		if err := s.known(t.Context()); !hasCode(err, http.StatusForbidden) || time.Since(begin) < ready {
			t.Errorf("after %v: got %v", time.Since(begin), err)
		}
		time.Sleep(2 * allowed)
		if err := s.known(t.Context()); err != nil {
			t.Errorf("once it is allowed: got %v", err)
		}
		cancel()
		following.Wait()
	})
}
