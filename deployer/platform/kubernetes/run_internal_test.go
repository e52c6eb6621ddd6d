package kubernetes

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// A command that has an input is refused, and one that has an empty one is not.
func TestWithoutInput(t *testing.T) {
	t.Parallel()
	ctx, stop := withoutInput(t.Context(), strings.NewReader("typed"))
	defer stop()
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
	if cause := context.Cause(ctx); core.CodeOf(cause) != core.CodePlatformInvalid {
		t.Errorf("got %v", cause)
	}
	read := &emptyInput{done: make(chan struct{})}
	ctx, stop = withoutInput(t.Context(), read)
	defer stop()
	<-read.done
	if ctx.Err() != nil {
		t.Errorf("without an input it ends by %v", context.Cause(ctx))
	}
}

// emptyInput is an empty input that reports that it was read.
type emptyInput struct {
	strings.Reader
	done chan struct{}
}

// Read implements io.Reader.
func (e *emptyInput) Read(p []byte) (int, error) {
	defer close(e.done)
	return e.Reader.Read(p)
}

// commandPod returns the pod of a command in a state.
func commandPod(state corev1.ContainerState) *corev1.Pod {
	return &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: container, State: state}}}}
}

// A command whose pod is removed fails, unless it had ended before.
func TestCommandPodRemoved(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		state corev1.ContainerState
		ended bool
	}{
		"running": {state: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		"pending": {state: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}},
		"ended":   {state: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}}, ended: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := answered(t, func(http.ResponseWriter, *http.Request) {})
			c := &command{app: a, changed: make(chan struct{}, 1)}
			c.observe(commandPod(test.state), false)
			time.AfterFunc(time.Millisecond, func() { c.observe(commandPod(test.state), true) })
			end, err := c.wait(t.Context(), a.runner.o)
			switch {
			case test.ended && (err != nil || end.ExitCode != 3):
				t.Errorf("%s: got %+v, %v", name, end, err)
			case !test.ended && (core.CodeOf(err) != core.CodePlatformStartFailed || !strings.Contains(core.AsError(err).Reason, "pod was removed")):
				t.Errorf("%s: got %v", name, err)
			}
		})
	}
}

// While the API is away, a command is not ended for what the API reported before.
func TestCommandWithoutAPI(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		away time.Duration // the API is, after five seconds
		want string        // a part of the reason; "": none
	}{
		"away":     {away: time.Hour},
		"answered": {want: "can't be started: ErrImagePull"},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			a := answered(t, func(w http.ResponseWriter, _ *http.Request) {
				if since := time.Since(begin); since > 5*time.Second && since < test.away {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			c := &command{app: a, changed: make(chan struct{}, 1)}
			c.observe(commandPod(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}}), false)
			if test.want == "" {
				time.AfterFunc(test.away+lasting/2, func() {
					c.observe(commandPod(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}), false)
				})
			}
			_, err := c.wait(t.Context(), a.runner.o)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(core.AsError(err).Reason, test.want) {
				t.Errorf("%s: got %v, want %q", name, err, test.want)
			}
		})
	}
}

// Halt ends a command that is being prepared, and no other one begins meanwhile.
func TestCommandHalted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := runner.Version{User: "me", App: "app", Root: "/apps", Dir: "/apps", Node: "/usr/local/bin/node", Start: "server.js"}
		var r *Runner
		var refused error
		ended, end := context.WithCancel(t.Context())
		end()
		a := answered(t, func(w http.ResponseWriter, q *http.Request) {
			if q.Method == http.MethodDelete {
				_, refused = r.Run(ended, v, runner.Command{})
			}
			_, _ = w.Write([]byte("{}"))
		})
		a.space = newSpace(a.runner.api, "apps", "", nil) // whose pods are never known
		a.publishing, a.late = ctxlock.New(1), make(chan struct{})
		r = a.runner
		r.open, r.apps, r.spaces = true, map[string]*application{"me/app": a}, map[string]*space{"apps": a.space}
		var err error
		go func() { _, err = r.Run(context.Background(), v, runner.Command{}) }() //nolint:usetesting // it does not end by it
		synctest.Wait()
		if err := a.halt(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the command: %v", err)
		}
		if core.CodeOf(refused) != core.CodePlatformBusy {
			t.Errorf("another one: %v", refused)
		}
	})
}

// A command succeeds though its pod can't be removed, as the API is away; that is removed
// when it is back.
func TestCommandNotRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s *space
		var pod *corev1.Pod
		var away atomic.Bool
		removed := false
		a := answered(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case away.Load():
				w.WriteHeader(http.StatusServiceUnavailable)
			case r.Method == http.MethodPost:
				pod.Labels = map[string]string{labelLaunch: "l1"}
				s.changed(pod, false)
				away.Store(true)
			case r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/pods/"+pod.Name):
				removed = true
			}
		})
		a.runner.open = true
		s = newSpace(a.runner.api, "apps", "", nil)
		l := launched{place: a.place, o: a.runner.o, launch: "l1"}
		pod = commandPod(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}})
		pod.Name, pod.Spec.RestartPolicy = l.name("release"), corev1.RestartPolicyNever
		exit, err := a.runPod(t.Context(), s, l, runner.Command{Name: "release"})
		if err != nil || exit.Code != 3 {
			t.Errorf("got %+v, %v", exit, err)
		}
		away.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if !removed {
			t.Error("the pod is left")
		}
	})
}

// Stop ends the commands of all apps at once.
func TestStopCommands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &Runner{open: true, apps: map[string]*application{}, cancel: func() {}}
		var ended [2]context.Context
		var done [2]func()
		for i, name := range []string{"one", "two"} {
			a := &application{runner: r, journal: applog.New(t.TempDir())}
			r.apps[name] = a
			var err error
			if ended[i], done[i], err = a.commands.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		go func() {
			<-ended[0].Done()
			<-ended[1].Done()
			done[0]()
			done[1]()
		}()
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
