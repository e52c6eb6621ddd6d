package kubernetes

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// routed is an app with a route in a cluster that answers calls of it with a code.
type routed struct {
	*application
	mu    sync.Mutex
	code  int
	calls []string // of the route
}

// newRouted returns an app whose route the cluster can't change for now.
func newRouted(t *testing.T) *routed {
	t.Helper()
	one := &routed{code: http.StatusInternalServerError}
	one.application = answered(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "ingresses") {
			_, _ = w.Write([]byte("{}"))
			return
		}
		one.mu.Lock()
		defer one.mu.Unlock()
		one.calls = append(one.calls, r.Method)
		if r.Method == http.MethodPatch && one.code != 0 {
			refuse(w, one.code, "no")
		}
	})
	one.runner.o.IngressClass, one.runner.open = "nginx", true
	one.publishing, one.late, one.journal = ctxlock.New(1), make(chan struct{}), applog.New(t.TempDir())
	one.space = newSpace(one.runner.api, "apps", "", nil)
	one.current = one.newGeneration(runner.Version{Start: "server.js"}, "l1")
	return one
}

// answer has the cluster answer calls of the route with a code from now on, and
// forgets which there were.
func (r *routed) answer(code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.code, r.calls = code, nil
}

// called returns the calls of the route, after all that is to happen has.
func (r *routed) called() string {
	time.Sleep(time.Hour)
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.calls, " ")
}

// A route that the cluster can't change is tried until it can, or the app is halted. One
// that the cluster refuses is noted.
func TestRouteTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newRouted(t)
		begin := time.Now()
		a.publishSoon()
		if took := time.Since(begin); took != publishLimit {
			t.Errorf("it took %v, want %v", took, publishLimit)
		}
		a.answer(0)
		if got := a.called(); got != http.MethodPatch {
			t.Errorf("when the cluster can: got %q", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a := newRouted(t)
		a.publishSoon()
		if err := a.halt(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.answer(0)
		if got := a.called(); got != "" {
			t.Errorf("after the app was halted: got %q", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a := newRouted(t)
		a.answer(http.StatusUnprocessableEntity)
		a.publishSoon()
		a.publishSoon()
		if got := a.called(); got != http.MethodPatch {
			t.Errorf("when the cluster refuses: got %q", got)
		}
		lines, err := a.journal.Last(time.Time{}, time.Time{}, 1)
		if err != nil || len(lines) != 1 || !strings.Contains(lines[0].Text, "the route to the app was not changed") {
			t.Errorf("the log has %v, %v", lines, err)
		}
	})
}

// A version that was replaced is removed, though the cluster refuses to change the Service,
// unless that still selects it.
func TestRemoveRefused(t *testing.T) {
	t.Parallel()
	for selected, want := range map[string]bool{"l1": false, "l2": true, "another": true} {
		removed := false
		a := answered(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPatch:
				refuse(w, http.StatusForbidden, "no")
			case r.Method == http.MethodDelete:
				removed = true
			case strings.Contains(r.URL.Path, "services"):
				_, _ = fmt.Fprintf(w, `{"spec": {"selector": {%q: %q}}}`, labelLaunch, selected)
			}
		})
		a.publishing, a.published, a.space, a.ending = ctxlock.New(1), "l1", newSpace(a.runner.api, "apps", "", nil), map[string]bool{"l1": true}
		a.current = a.newGeneration(runner.Version{Start: "server.js"}, "l2")
		a.remove(a.newGeneration(runner.Version{Start: "server.js"}, "l1"))
		if removed != want || a.ending["l1"] {
			t.Errorf("the Service selects %s: removed %t, ending %t", selected, removed, a.ending["l1"])
		}
	}
}
