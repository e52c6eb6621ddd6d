package kubernetes

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// at returns a time of a test.
func at(second int) time.Time { return time.Unix(int64(second), 0).UTC() }

// answered returns an app in a cluster whose API is answered by a handler.
func answered(t *testing.T, api http.HandlerFunc) *application {
	t.Helper()
	r := &Runner{o: Options{}.withDefaults(), ctx: t.Context()}
	r.api = &client{http: &http.Client{Transport: direct(api)}, base: "http://cluster", log: r.o.Logger}
	r.logs = &followers{runner: r, pods: map[string]*follower{}}
	return &application{runner: r, place: place{namespace: "apps", prefix: "me-app"}}
}

// direct has a handler answer without a connection, so that a test may use the clock of
// package synctest.
type direct http.HandlerFunc

// RoundTrip implements http.RoundTripper.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	d(answer, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return answer.Result(), nil
}

// refuse answers a call with a refusal.
func refuse(w http.ResponseWriter, code int, message string) {
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, `{"kind":"Status","message":%q}`, message)
}

// What keeps a drone from getting ready counts when it has lasted, and the time in which
// the API was away does not count.
func TestObstacle(t *testing.T) {
	t.Parallel()
	waits := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "why"}}
	}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at(10))}}
	type seen struct {
		second int
		state  corev1.ContainerState
		want   string // a part of the obstacle; "": none
	}
	const stuck, late = "can't be started: ", "did not accept connections"
	for name, test := range map[string]struct {
		back  time.Time
		looks []seen
	}{
		"a Secret that is late":  {looks: []seen{{1, waits("CreateContainerConfigError"), ""}, {20, waits("CreateContainerConfigError"), ""}, {21, runs, ""}}},
		"no image":               {looks: []seen{{1, waits("ErrImagePull"), ""}, {15, waits("ImagePullBackOff"), ""}, {31, waits("ErrImagePull"), stuck + "ErrImagePull: why"}}},
		"an image after a while": {looks: []seen{{1, waits("ErrImagePull"), ""}, {25, waits("ContainerCreating"), ""}, {40, waits("ErrImagePull"), ""}, {70, waits("ErrImagePull"), stuck}}},
		"not ready":              {looks: []seen{{10, runs, ""}, {40, runs, ""}, {41, runs, late}}},
		"not seen to get ready":  {back: at(100), looks: []seen{{100, runs, ""}, {130, runs, ""}, {131, runs, late}}},
		"stuck before":           {back: at(100), looks: []seen{{1, waits("CreateContainerError"), ""}, {100, waits("CreateContainerError"), ""}, {130, waits("CreateContainerError"), stuck}}},
	} {
		sl := &slot{number: 1}
		for _, look := range test.looks {
			sl.pod = &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: container, State: look.state}}}}
			got, _ := sl.obstacle(at(look.second), test.back, 30*time.Second, "")
			if !strings.Contains(got, look.want) || (got == "") != (look.want == "") {
				t.Errorf("%s, second %d: got %q, want %q", name, look.second, got, look.want)
			}
		}
	}
}

// A version that is not started in time fails, and the time in which the API was away
// does not count.
func TestStartTimeoutWithoutAPI(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		away time.Duration // the API is, after five seconds
		want string        // a part of the reason; "": none
	}{
		"away":     {away: time.Hour},
		"answered": {want: "its pod was not started within 5m0s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			a := answered(t, func(w http.ResponseWriter, _ *http.Request) {
				if since := time.Since(begin); since > 5*time.Second && since < test.away {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				_, _ = fmt.Fprint(w, `{"items":[]}`)
			})
			g := a.newGeneration(runner.Version{Processes: map[string]string{"worker": "worker.js"}}, "l1")
			if test.want == "" {
				time.AfterFunc(test.away+a.runner.o.StartTimeout/2, func() {
					p := commandPod(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
					p.Labels = map[string]string{labelComponent: component("worker")}
					g.observe(p, false)
				})
			}
			err := g.awaitReady(t.Context(), g.slots)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(core.AsError(err).Reason, test.want) {
				t.Errorf("%s: got %v, want %q", name, err, test.want)
			}
		})
	}
}

// The last lines are those of the container that has ended, though another one runs by
// the time that they are read.
func TestLastLines(t *testing.T) {
	t.Parallel()
	const (
		ended = "1970-01-01T00:00:05.1Z begins\n1970-01-01T00:00:09.9Z no database\n"
		next  = "1970-01-01T00:00:12Z listening\n"
		late  = "1970-01-01T00:00:11Z no database\n"
	)
	end := &corev1.ContainerStateTerminated{StartedAt: metav1.NewTime(at(5)), FinishedAt: metav1.NewTime(at(9))}
	for name, test := range map[string]struct {
		runs, before string // "": there is none
		end          *corev1.ContainerStateTerminated
		want         string
	}{
		"not replaced":          {ended, "", end, "begins\nno database"},
		"replaced":              {next, ended, end, "begins\nno database"},
		"replaced by a mute":    {"", ended, end, "begins\nno database"},
		"lines that were late":  {late, "", end, "no database"},
		"mute":                  {"", "", end, ""},
		"the second that ended": {ended, "1970-01-01T00:00:01Z earlier\n", end, "begins\nno database"},
		"one that runs":         {next, ended, nil, "listening"},
	} {
		a := answered(t, func(w http.ResponseWriter, r *http.Request) {
			switch previous := r.FormValue("previous") == "true"; {
			case previous && test.before == "":
				refuse(w, http.StatusBadRequest, "previous terminated container not found")
			case previous:
				_, _ = fmt.Fprint(w, test.before)
			default:
				_, _ = fmt.Fprint(w, test.runs)
			}
		})
		if got := a.lastLines(t.Context(), applog.NewMask(nil), "pod", test.end); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// The pod of a command is created when the cluster is ready for it, and once.
func TestCreatePod(t *testing.T) {
	t.Parallel()
	create := func(refusals ...func(http.ResponseWriter)) error {
		t.Helper()
		created := 0
		a := answered(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method != http.MethodPost: // whether the API server is ready
			case len(refusals) > 0:
				refusals[0](w)
				refusals = refusals[1:]
			default:
				created++
				w.WriteHeader(http.StatusCreated)
			}
		})
		err := a.createPod(t.Context(), &corev1.Pod{})
		if len(refusals) > 0 || created > 1 {
			t.Errorf("%d refusals are left, created %d times", len(refusals), created)
		}
		return err
	}
	with := func(code int, message string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { refuse(w, code, message) }
	}
	account := with(http.StatusForbidden, `pods "app" is forbidden: error looking up service account apps/default: serviceaccount "default" not found`)
	if err := create(account, account, account); err != nil {
		t.Errorf("in a new namespace: %v", err)
	}
	if err := create(with(http.StatusServiceUnavailable, "lost"), with(http.StatusConflict, "exists")); err != nil {
		t.Errorf("after a lost answer: %v", err)
	}
	quota := with(http.StatusForbidden, "exceeded quota") // asked again, as the API server could have just started
	if err := create(quota, quota); core.CodeOf(err) != core.CodePlatformStartFailed || !strings.Contains(core.AsError(err).Reason, "exceeded quota") {
		t.Errorf("beyond a quota: %v", err)
	}
}

// The reason names a start command that is for development.
func TestDevelopmentCommand(t *testing.T) {
	t.Parallel()
	a := answered(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "none") })
	for name, state := range map[string]corev1.ContainerState{
		"crash":     {Terminated: &corev1.ContainerStateTerminated{ContainerID: "one", ExitCode: 1}},
		"not ready": {Running: &corev1.ContainerStateRunning{}},
	} {
		g := a.newGeneration(runner.Version{Start: "next dev"}, "l1")
		g.observe(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{labelComponent: web}}, Status: corev1.PodStatus{
			ContainerStatuses: []corev1.ContainerStatus{{Name: container, State: state}},
		}}, false)
		err := g.awaitReady(t.Context(), g.slots)
		if core.CodeOf(err) != core.CodePlatformStartFailed || !strings.Contains(core.AsError(err).Reason, "next dev, which is for development") {
			t.Errorf("%s: got %+v", name, core.AsError(err))
		}
	}
}

// A drone that has crashed while its version is on trial gets no requests, though it
// is up again.
func TestPickOnTrial(t *testing.T) {
	t.Parallel()
	a := &application{runner: &Runner{o: Options{}.withDefaults()}}
	ready := func(addr string) *generation {
		g := a.newGeneration(runner.Version{Start: "server.js"}, addr)
		g.slots[0].addr, g.slots[0].ready = addr, true
		return g
	}
	a.current, a.former = ready("new"), ready("former")
	pick := func() string {
		target, _ := a.pick("")
		target.Done()
		return target.Addr
	}
	if got := pick(); got != "new" {
		t.Errorf("picked %q", got)
	}
	a.current.slots[0].crash = &exit{}
	if got := pick(); got != "former" {
		t.Errorf("after a crash picked %q", got)
	}
	a.former = nil
	if got := pick(); got != "new" {
		t.Errorf("without a former version picked %q", got)
	}
}

// While the API is away, a version is not ended for what the API reported before.
func TestAwaitReadyWithoutAPI(t *testing.T) {
	t.Parallel()
	looks := make(chan bool) // whether the API answers
	a := answered(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case answers := <-looks:
			if answers {
				_, _ = fmt.Fprint(w, `{"items":[]}`)
			} else {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		case <-r.Context().Done():
		}
	})
	ahead := make(chan time.Duration, 1)
	ahead <- 0
	a.runner.o.Now = func() time.Time {
		d := <-ahead
		ahead <- d
		return at(20).Add(d)
	}
	g := a.newGeneration(runner.Version{Start: "server.js"}, "l1")
	pod := func(ready corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{labelComponent: web}}, Status: corev1.PodStatus{
			PodIP: "10.0.0.1", Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: container, ContainerID: "first", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at(10))}},
			}},
		}}
	}
	g.observe(pod(corev1.ConditionFalse), false)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- g.awaitReady(ctx, g.slots) }()
	looks <- true
	looks <- false
	<-ahead
	ahead <- time.Minute
	looks <- false
	looks <- true
	looks <- true
	g.observe(pod(corev1.ConditionTrue), false)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A version that speaks TLS on its port is refused, as a router can't use it: when its pods
// are ready, or when its health path has not answered.
func TestTLSOnPort(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	plain, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	secure := tls.NewListener(plain, server.TLS)
	t.Cleanup(func() { _ = secure.Close() })
	go func() {
		for conn, err := secure.Accept(); err == nil; conn, err = secure.Accept() {
			_ = conn.(*tls.Conn).HandshakeContext(t.Context()) // fails for HTTP
			_ = conn.Close()
		}
	}()
	for _, health := range []string{"", "/healthz"} {
		a := answered(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "{}") })
		g := a.newGeneration(runner.Version{Start: "server.js", Health: health}, "l1")
		g.observe(webPod(look{ready: health == "", at: 1}, "10.0.0.1"), false)
		a.mu.Lock()
		g.slots[0].addr = plain.Addr().String()
		a.mu.Unlock()
		err := core.AsError(g.start(t.Context(), launched{place: a.place, o: a.runner.o, v: g.version, launch: "l1"}))
		if err == nil || err.Code != core.CodePlatformStartFailed || !strings.HasPrefix(err.Reason, "drone 1 speaks TLS (HTTPS) on PORT") {
			t.Errorf("health path %q: got %v", health, err)
		}
	}
}
