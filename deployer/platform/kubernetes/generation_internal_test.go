package kubernetes

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// A pod as the kubelet describes it.
type look struct {
	ready bool
	at    int // second of the change of ready
	ended int // second of the end of the first container; 0: it runs
}

func (l look) pod() *corev1.Pod {
	at := func(second int) metav1.Time { return metav1.NewTime(time.Unix(int64(second), 0)) }
	s := corev1.ContainerStatus{Name: container, ContainerID: "first", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	if l.ended > 0 {
		s.ContainerID = "second"
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ContainerID: "first", FinishedAt: at(l.ended)}
	}
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: at(l.at)}
	if l.ready {
		ready.Status = corev1.ConditionTrue
	}
	return &corev1.Pod{Status: corev1.PodStatus{
		PodIP: "10.0.0.1", Conditions: []corev1.PodCondition{ready}, ContainerStatuses: []corev1.ContainerStatus{s},
	}}
}

// A container that was killed has most likely reached its memory limit, though the
// kubelet does not say so.
func TestKilledDrone(t *testing.T) {
	t.Parallel()
	g := (&application{runner: &Runner{o: Options{}.withDefaults()}}).newGeneration(runner.Version{Start: "server.js"}, "l1")
	for reason, want := range map[string]string{"OOMKilled": "needed more memory", "Error": "signal 9 (killed), most likely because it needed more memory"} {
		end := &corev1.ContainerStateTerminated{Reason: reason, ExitCode: 137}
		if got := g.exitText(g.slots[0], end); !strings.Contains(got, want) || !strings.Contains(got, "the limit is 1024 MiB") {
			t.Errorf("%s: got %q", reason, got)
		}
	}
}

// What a drone ended by, by the descriptions of its pod.
func TestExitText(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		looks []look
		want  string
	}{
		"by itself":                  {[]look{{true, 1, 0}, {false, 9, 9}}, "exited with code 0"},
		"not ready any more":         {[]look{{true, 1, 0}, {false, 4, 0}, {false, 4, 9}}, "stopped listening on its port"},
		"called ready after its end": {[]look{{true, 1, 0}, {false, 4, 0}, {true, 9, 0}, {false, 9, 9}}, "stopped listening on its port"},
		"ready again before its end": {[]look{{true, 1, 0}, {false, 4, 0}, {true, 6, 0}, {false, 9, 9}}, "exited with code 0"},
		"probed after its end":       {[]look{{true, 1, 0}, {false, 4, 0}, {false, 4, 3}}, "exited with code 0"},
		"lost twice":                 {[]look{{true, 1, 0}, {false, 4, 0}, {true, 6, 0}, {false, 7, 0}, {false, 7, 9}}, "stopped listening on its port"},
	} {
		g := (&application{runner: &Runner{o: Options{}.withDefaults()}}).newGeneration(runner.Version{Start: "server.js"}, "l1")
		g.kept = true
		sl := g.slots[0]
		var crash *exit
		for i, l := range test.looks {
			if crash != nil {
				t.Errorf("%s: crash before the end", name)
			}
			crash = g.update(sl, l.pod(), false)
			if deaf := l.ended == 0 && !l.ready; sl.deaf() != deaf {
				t.Errorf("%s, look %d: deaf is %t", name, i, sl.deaf())
			}
		}
		if crash == nil || !strings.Contains(crash.text, test.want) {
			t.Errorf("%s: got %+v, want %q", name, crash, test.want)
		}
	}
}
