package kubernetes

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
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
