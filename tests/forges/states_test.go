package forges

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/providers"
	"github.com/nodejitsu/webhooks/tools/forgesim"
)

// reports receives the events of a forge.
type reports struct {
	*httptest.Server
	mu   sync.Mutex
	last core.Event
}

func newReports(t *testing.T) *reports {
	t.Helper()
	r, receiver := &reports{}, providers.Any()
	receiver.Unsigned = true
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		d, err := receiver.Receive(w, req)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.last = d.Event
	}))
	t.Cleanup(r.Close)
	return r
}

// state returns what the last event says of a check, in the words of the list of checks.
func (r *reports) state() deploy.CheckState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return map[core.BuildState]deploy.CheckState{
		core.BuildStarted: deploy.CheckRunning, core.BuildPassed: deploy.CheckPassed, core.BuildNeutral: deploy.CheckNeutral,
		core.BuildFailed: deploy.CheckFailed, core.BuildErrored: deploy.CheckFailed,
		core.BuildCanceled: deploy.CheckCanceled, core.BuildWaiting: deploy.CheckWaiting,
	}[r.last.Build.State]
}

// Each word of a forge for the state of a check means the same in its list of checks and
// in its events. One that is not known has not passed.
func TestStatesOfChecks(t *testing.T) {
	t.Parallel()
	actions := map[string]deploy.CheckState{
		"queued": deploy.CheckRunning, "waiting": deploy.CheckRunning, "in_progress": deploy.CheckRunning,
		"success": deploy.CheckPassed, "failure": deploy.CheckFailed, "cancelled": deploy.CheckCanceled, "skipped": deploy.CheckNeutral,
	}
	for kind, words := range map[forgesim.Kind]map[string]deploy.CheckState{
		forgesim.GitLab: {
			"created": deploy.CheckRunning, "waiting_for_resource": deploy.CheckRunning, "preparing": deploy.CheckRunning,
			"waiting_for_callback": deploy.CheckRunning, "pending": deploy.CheckRunning, "running": deploy.CheckRunning,
			"success": deploy.CheckPassed, "failed": deploy.CheckFailed, "canceling": deploy.CheckRunning, "canceled": deploy.CheckCanceled,
			"skipped": deploy.CheckNeutral, "manual": deploy.CheckWaiting, "scheduled": deploy.CheckRunning, "of_next_year": deploy.CheckRunning,
		},
		forgesim.Gitea: actions, forgesim.Forgejo: actions,
		forgesim.Bitbucket: {
			"INPROGRESS": deploy.CheckRunning, "SUCCESSFUL": deploy.CheckPassed, "FAILED": deploy.CheckFailed, "STOPPED": deploy.CheckCanceled,
			"OF_NEXT_YEAR": deploy.CheckRunning,
		},
		forgesim.DataCenter: {
			"INPROGRESS": deploy.CheckRunning, "SUCCESSFUL": deploy.CheckPassed, "FAILED": deploy.CheckFailed, "CANCELLED": deploy.CheckCanceled,
			"UNKNOWN": deploy.CheckRunning,
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s, err := forgesim.New(t.Context(), kind, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			remote, err := s.CreateRepository(t.Context(), "acme", "hello", false)
			if err != nil {
				t.Fatal(err)
			}
			to, forge, commit := newReports(t), open(t, kind, s.URL()), commitTo(t, remote)
			if err := s.Hook("acme", "hello", to.URL, ""); err != nil {
				t.Fatal(err)
			}
			for word, want := range words {
				c, sent, err := s.SetCheck(t.Context(), "acme", "hello", forgesim.Check{SHA: commit, State: word})
				if err != nil {
					t.Fatal(err)
				}
				repo := core.Repository{Forge: s.Host(), Owner: "acme", Name: "hello"}
				checks, err := forge.Checks(t.Context(), repo, commit, core.Secret{})
				if err != nil || len(checks) == 0 || checks[0].State != want {
					t.Errorf("%q, check %d: got %+v, %v, want %s", word, c.ID, checks, err, want)
				}
				if len(sent) > 0 && to.state() != want {
					t.Errorf("%q: its event says %q, want %s", word, to.state(), want)
				}
			}
		})
	}
}
