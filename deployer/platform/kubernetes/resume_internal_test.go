package kubernetes

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

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
