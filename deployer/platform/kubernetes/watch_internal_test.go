package kubernetes

import (
	"encoding/json"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// A pod that has replaced another one while the API was away is in its place as soon as
// the pods are listed.
func TestReplacedWhileAway(t *testing.T) {
	t.Parallel()
	pod := func(name, ip string) corev1.Pod {
		p := *webPod(look{ready: true, at: 1}, ip)
		p.Name, p.UID, p.Labels[labelLaunch] = name, types.UID(name), "l1"
		return p
	}
	old, next := pod("x", "10.0.0.1"), pod("a", "10.0.0.2")
	ending := pod("x", "10.0.0.1")
	ending.DeletionTimestamp = &metav1.Time{Time: at(2)}
	for name, then := range map[string][]corev1.Pod{"gone": {next}, "ending": {next, ending}} {
		lists := [][]corev1.Pod{{old}, then}
		a := answered(t, func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(corev1.PodList{Items: lists[0]})
			lists = lists[1:]
		})
		g := a.newGeneration(runner.Version{Start: "server.js"}, "l1")
		a.current = g
		s := newSpace(a.runner.api, "apps", "", nil)
		s.observe(g.launch, g)
		for _, want := range []string{"10.0.0.1:8080", "10.0.0.2:8080"} {
			if _, err := s.list(t.Context()); err != nil {
				t.Fatal(err)
			}
			if target, ok := a.pick(""); target.Addr != want {
				t.Errorf("%s: picked %q, %t, want %q", name, target.Addr, ok, want)
			}
		}
	}
}
