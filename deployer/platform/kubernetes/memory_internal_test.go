package kubernetes

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// The memory of an app is what the metrics server has of the pods that run; 0 without
// one.
func TestMemory(t *testing.T) {
	t.Parallel()
	metrics := `{"items":[{"containers":[{"name":"app","usage":{"cpu":"3m","memory":"64Mi"}}]},{"containers":[{"usage":{"memory":"1024Ki"}}]}]}`
	for _, has := range []bool{true, false} {
		a := answered(t, func(w http.ResponseWriter, r *http.Request) {
			if !has || r.URL.Path != "/apis/metrics.k8s.io/v1beta1/namespaces/apps/pods" || r.FormValue("labelSelector") != labelLaunch+"=l1" {
				refuse(w, http.StatusNotFound, "the server could not find the requested resource")
				return
			}
			_, _ = fmt.Fprint(w, metrics)
		})
		a.runner.apps = map[string]*application{"me/app": a}
		if got := a.runner.Memory("me", "app"); got != 0 {
			t.Errorf("of an app that does not run it is %d", got)
		}
		a.current = a.newGeneration(runner.Version{Start: "server.js"}, "l1")
		want := int64(0)
		if has {
			want = 65 << 20
		}
		if got := a.runner.Memory("me", "app"); got != want {
			t.Errorf("with a metrics server %t it is %d, want %d", has, got, want)
		}
	}
}
