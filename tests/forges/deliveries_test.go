package forges

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/gitlab"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/tools/forgesim"
)

// receiver is the end of a webhook that answers as it is set to.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	ours   bool // the answer is one of this service
	count  int
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.count++
		if r.ours {
			w.Header().Set("X-Api-Uuid", "x")
		}
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(status int, ours bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.ours = status, ours
}

func (r *receiver) received() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// GitLab sends again, of each ref, the newest push if it failed.
func TestDeliveriesOfGitLab(t *testing.T) {
	t.Parallel()
	s, err := forgesim.New(t.Context(), forgesim.GitLab, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.AddUser(login, token)
	remote, err := s.CreateRepository(t.Context(), "acme/web", "hello", true)
	if err != nil {
		t.Fatal(err)
	}
	to := newReceiver(t)
	if err := s.Hook("acme/web", "hello", "http://other.example.com/", ""); err != nil {
		t.Fatal(err)
	}
	if err := s.DisableHooks("acme/web", "hello"); err != nil { // that one
		t.Fatal(err)
	}
	if err := s.Hook("acme/web", "hello", to.URL, "secret"); err != nil {
		t.Fatal(err)
	}
	forge, err := gitlab.New(gitlab.Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forge.Close)
	repo := core.Repository{Forge: s.Host(), Owner: "acme/web", Name: "hello"}
	hooks, err := forge.Hooks(t.Context(), repo, core.NewSecret(token))
	if want := []connect.ListedHook{{ID: "1", URL: "http://other.example.com/"}, {ID: "2", URL: to.URL}}; err != nil || !slices.Equal(hooks, want) {
		t.Fatalf("got %+v, %v", hooks, err)
	}
	first := commitTo(t, remote)
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"--git-dir=" + remote, "-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	count := 0
	push := func(branch string) {
		t.Helper()
		count++
		git("update-ref", "refs/heads/"+branch, git("commit-tree", "-p", first, "-m", strconv.Itoa(count), first+"^{tree}"))
		if _, err := s.Pushed(t.Context(), "acme/web", "hello"); err != nil {
			t.Fatal(err)
		}
	}
	redelivers := func(why string, missed bool, want int) {
		t.Helper()
		before := to.received()
		got, err := forge.Redeliver(t.Context(), repo, "2", missed, core.NewSecret(token))
		if err != nil || got != want || to.received() != before+want {
			t.Errorf("%s: sent again %d, %v; received %d; want %d", why, got, err, to.received()-before, want)
		}
	}

	push("main")
	redelivers("what was accepted", false, 0)
	to.answers(http.StatusBadGateway, true)
	push("main")
	redelivers("the failure of a deployment", true, 0)
	redelivers("the failure of a deployment, on request", false, 1)
	to.answers(http.StatusBadGateway, false)
	push("main")
	push("main")
	to.answers(http.StatusServiceUnavailable, true)
	push("feature")
	to.answers(http.StatusOK, true)
	redelivers("what a proxy answered, and what came too much at once", true, 2)
	redelivers("the same, once it is accepted", true, 0)
	for range 30 { // more than a page
		push("main")
	}
	to.answers(http.StatusBadGateway, false)
	push("old")
	to.answers(http.StatusOK, true)
	for range 30 {
		push("main")
	}
	redelivers("on a later page", true, 1)

	// Once it is disabled nothing is sent, until a test enables it.
	if err := s.DisableHooks("acme/web", "hello"); err != nil {
		t.Fatal(err)
	}
	push("main")
	before := to.received()
	if _, err := forge.Redeliver(t.Context(), repo, "2", true, core.NewSecret(token)); err == nil || !strings.Contains(err.Error(), "webhooks connect gitlab acme/web/hello --forge "+s.Host()+" --check enables it") {
		t.Errorf("got %v", err)
	}
	if got := to.received() - before; got != 0 {
		t.Errorf("received %d", got)
	}
	redelivers("a webhook that was disabled", false, 1)
	push("main")
	if got := to.received() - before; got != 2 {
		t.Errorf("received %d since it is enabled", got)
	}
	if _, err := forge.Redeliver(t.Context(), repo, "7", false, core.NewSecret(token)); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
