package kubernetes

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// webPod returns the pod of a web process at an address.
func webPod(l look, ip string) *corev1.Pod {
	p := l.pod()
	p.Name, p.UID, p.Status.PodIP = "pod-"+ip, "uid", ip
	p.Labels = map[string]string{labelComponent: web}
	return p
}

// A version on trial is not taken back because the cluster reports a drone as not ready
// for a moment: a busy kubelet does so just after it was ready, and one that has just been
// started for all of its pods.
func TestWatchNotReadyForAMoment(t *testing.T) {
	t.Parallel()
	a := answered(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "none") })
	g := a.newGeneration(runner.Version{Start: "server.js"}, "l1")
	g.observe(webPod(look{ready: true, at: 1}, "10.0.0.1"), false)
	g.observe(webPod(look{at: 2}, "10.0.0.1"), false)
	watched := make(chan error, 1)
	go func() { watched <- g.watch(t.Context(), time.Nanosecond) }()
	g.observe(webPod(look{ready: true, at: 3}, "10.0.0.1"), false)
	if err := <-watched; err != nil {
		t.Errorf("got %+v", core.AsError(err))
	}
}

// A drone on trial that closes its port is ended by its liveness probe; the reason says
// so. One that exits is not called deaf, though it was probed after its end.
func TestWatchEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ended int
		want  string
	}{
		"deaf":   {9, "drone 1 stopped listening on its port, though its process went on, soon after it had accepted connections"},
		"exited": {1, "drone 1 exited with code 0 soon after it had accepted connections"},
	} {
		a := answered(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "none") })
		g := a.newGeneration(runner.Version{Start: "server.js"}, "l1")
		g.observe(webPod(look{ready: true, at: 1}, "10.0.0.1"), false)
		g.observe(webPod(look{at: 2}, "10.0.0.1"), false)
		watched := make(chan error, 1)
		go func() { watched <- g.watch(t.Context(), time.Nanosecond) }()
		g.observe(webPod(look{at: 2, ended: test.ended}, "10.0.0.1"), false)
		if err := core.AsError(<-watched); err.Code != core.CodePlatformStartFailed || err.Reason != test.want {
			t.Errorf("%s: got %+v, want %q", name, err, test.want)
		}
	}
}

// A drone that is not ready for as long as one may take that is started has failed, if
// the cluster says so when it is asked.
func TestDeafTooLong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		health string
		after  time.Duration
		now    *corev1.Pod // what the API answers; nil: it is away
		want   string      // a part of the reason; "": none
	}{
		"a moment":           {after: 29 * time.Second, now: webPod(look{at: 2}, "10.0.0.1")},
		"long":               {after: 30 * time.Second, now: webPod(look{at: 2}, "10.0.0.1"), want: "drone 1 stopped listening on its port, though its process went on, soon after"},
		"unhealthy":          {health: "/healthz", after: 30 * time.Second, now: webPod(look{at: 2}, "10.0.0.1"), want: "GET /healthz, its health path"},
		"ready again":        {after: time.Hour, now: webPod(look{ready: true, at: 40}, "10.0.0.1")},
		"another container":  {after: time.Hour, now: webPod(look{at: 2, ended: 9}, "10.0.0.1")},
		"the API is away":    {after: time.Hour},
		"the pod was killed": {after: time.Hour, now: &corev1.Pod{}},
	} {
		a := answered(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case !strings.HasSuffix(r.URL.Path, "/apps/pods/pod-10.0.0.1"):
				refuse(w, http.StatusNotFound, "none")
			case test.now == nil:
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				_ = json.NewEncoder(w).Encode(test.now)
			}
		})
		now := at(2)
		a.runner.o.Now = func() time.Time { return now }
		g := a.newGeneration(runner.Version{Start: "server.js", Health: test.health}, "l1")
		sl := g.slots[0]
		g.update(sl, webPod(look{ready: true, at: 1}, "10.0.0.1"), false)
		g.update(sl, webPod(look{at: 2}, "10.0.0.1"), false)
		now = now.Add(test.after)
		err := g.deafTooLong(t.Context(), sl)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(core.AsError(err).Reason, test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
		if since := now.Sub(sl.deafSince); test.now == nil && since != 0 {
			t.Errorf("%s: it counts as not ready for %v", name, since)
		}
	}
}

// A drone that is not ready any more gets requests if there is no other: it may answer,
// though the cluster does not say so.
func TestPickNotReady(t *testing.T) {
	t.Parallel()
	a := &application{runner: &Runner{o: Options{}.withDefaults()}}
	g := a.newGeneration(runner.Version{Start: "server.js", Drones: 2}, "l1")
	a.current = g
	pick := func() (picked string) {
		target, ok := a.pick("")
		if ok {
			target.Done()
		}
		return target.Addr
	}
	update := func(l look) func(i int) {
		return func(i int) { g.update(g.slots[i], webPod(l, "10.0.0."+string(rune('1'+i))), false) }
	}
	ready, lost, ended := update(look{ready: true, at: 1}), update(look{at: 2}), update(look{at: 2, ended: 3})
	ready(0)
	ready(1)
	if first, second := pick(), pick(); first == second {
		t.Errorf("of two that are ready: picked %s twice", first)
	}
	lost(0)
	if first, second := pick(), pick(); first != "10.0.0.2:8080" || second != first {
		t.Errorf("of one that is ready: picked %s and %s", first, second)
	}
	lost(1)
	if first, second := pick(), pick(); first == second || first == "" || second == "" {
		t.Errorf("of none that is ready: picked %q and %q", first, second)
	}
	ended(0)
	ended(1)
	if got := pick(); got != "" {
		t.Errorf("after their end: picked %q", got)
	}
}
