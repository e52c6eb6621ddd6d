package kubernetes

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodejitsu/webhooks/core"
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
