package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// An app is not taken over by another repository, branch or folder with the same name.
func TestAppBelongsToItsSource(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		files := map[string]string{
			"package.json":     `{"name":"hello","version":"1.0.0"}`,
			"api/package.json": `{"name":"hello","version":"1.0.0"}`,
		}
		other := core.Repository{Forge: core.GitHubHost, Owner: "rival", Name: "hello", DefaultBranch: "main"}
		w.forge.Commit(w.repo, commit2, files)
		w.forge.Commit(other, commit2, files)
		w.start()
		w.is(w.settled(w.deliver(w.push(commit1))), core.StatusOK, "")

		event := w.push(commit2)
		event.Repository = other
		fromOther := w.request(event)
		event = w.push(commit2)
		event.Branch, event.Ref = "staging", "refs/heads/staging"
		fromBranch := w.request(event)
		fromBranch.Target.Branch = "staging"
		fromFolder := w.request(w.push(commit2))
		fromFolder.Target.Root = "api"
		requests := map[string]func() string{
			"github.com/rival/hello@main":      func() string { return w.accept(fromOther).Change.Entry.ID },
			"github.com/dscape/hello@staging":  func() string { return w.accept(fromBranch).Change.Entry.ID },
			"github.com/dscape/hello@main:api": func() string { return w.accept(fromFolder).Change.Entry.ID },
		}
		for from, deliver := range requests {
			e := w.settled(deliver())
			w.is(e, core.StatusError, "hello is deployed from github.com/dscape/hello@main, and this delivery is of "+from)
			if e.Error == nil || e.Error.Code != core.CodeOtherSource || !strings.Contains(e.Reason, "webhooks apps source hello "+from) || !strings.Contains(e.Reason, "app=NAME") {
				t.Errorf("from %s: got %+v", from, e.Error)
			}
		}
		if got := w.platform.Starts(); len(got) != 1 {
			t.Errorf("started %v", got)
		}

		// Its owner moves it; then the former source is another one.
		if err := w.platform.SetSource(w.t.Context(), "dscape", "hello", "github.com/rival/hello@main"); err != nil {
			t.Fatal(err)
		}
		w.is(w.settled(requests["github.com/rival/hello@main"]()), core.StatusOK, "")
		w.is(w.settled(w.deliver(w.push(commit3))), core.StatusError, "deployed from github.com/rival/hello@main")

		// A webhook that names the app moves it.
		named := w.request(w.push(commit3))
		named.Target.App = "hello"
		w.is(w.settled(w.accept(named).Change.Entry.ID), core.StatusOK, "")
		app, err := w.platform.FindApp(w.t.Context(), "dscape", "hello")
		if err != nil || app.Source != "github.com/dscape/hello@main" {
			t.Errorf("got %+v, %v", app, err)
		}
	})
}

// An app that no delivery has deployed belongs to the first one that does.
func TestAppWithoutSource(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		if err := w.platform.Create(w.t.Context(), "dscape", deploy.Package{Name: "hello"}); err != nil {
			t.Fatal(err)
		}
		w.start()
		w.platform.Fail("SetSource", core.ErrConflict)
		e := w.settled(w.deliver(w.push(commit1)))
		w.is(e, core.StatusOK, "")
		if !slices.ContainsFunc(e.Notes, func(n string) bool { return strings.Contains(n, "could not be saved") }) {
			t.Errorf("got notes %q", e.Notes)
		}
		w.is(w.settled(w.deliver(w.push(commit2))), core.StatusOK, "")
		if app, err := w.platform.FindApp(w.t.Context(), "dscape", "hello"); err != nil || app.Source != "github.com/dscape/hello@main" {
			t.Errorf("got %+v, %v", app, err)
		}
	})
}

// Two deliveries of a commit deploy it once.
func TestCommitThatRuns(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start()
		first := w.settled(w.deliver(w.push(commit1), "X-Github-Delivery", "d1"))
		second := w.settled(w.deliver(w.push(commit1), "X-Github-Delivery", "d2"))
		w.is(second, core.StatusOK, "The app runs this commit already")
		if second.ID == first.ID || second.URL != first.URL {
			t.Errorf("got %+v", second)
		}
		if got := w.platform.Starts(); len(got) != 1 {
			t.Errorf("started %v", got)
		}
	})
}

// A script that posts a payload without a delivery id can go back to a commit.
func TestGoBackToCommit(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start()
		deployed := func(commit string) core.Entry {
			t.Helper()
			e := w.settled(w.deliver(w.push(commit)))
			w.is(e, core.StatusOK, "")
			return e
		}
		first, second := deployed(commit1), deployed(commit2)
		if again := deployed(commit2); again.ID != second.ID {
			t.Errorf("the commit that runs is deployed by %s again", again.ID)
		}
		third := deployed(commit1)
		if third.ID == first.ID {
			t.Error("the commit that ran before is not deployed again")
		}
		if again := deployed(commit1); again.ID != third.ID {
			t.Errorf("the third one sent twice makes %s", again.ID)
		}
		if again := deployed(commit2); again.ID == second.ID {
			t.Error("the second commit is not deployed again")
		}
		want := []string{commit1, commit2, commit1, commit2}
		got := w.platform.Starts()
		if !slices.EqualFunc(got, want, func(start, commit string) bool { return strings.HasSuffix(start, commit[:12]) }) {
			t.Errorf("started %v, want %v", got, want)
		}
	})
}

// A redelivery is deployed again if what it deployed is gone.
func TestRedeliveryOfWhatIsGone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(w *world)
		starts int
	}{
		"nothing":     {func(*world) {}, 2},
		"destroyed":   {func(w *world) { w.platform.Destroy("dscape", "hello") }, 3},
		"rolled back": {func(w *world) { w.platform.SetRunning("dscape", "hello", "1.0.0-111111111111") }, 3},
		"stopped":     {func(w *world) { w.platform.SetRunning("dscape", "hello", "") }, 2},
		"unknown":     {func(w *world) { w.platform.Fail("FindApp", core.ErrForbidden) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.secret("s", "hook")
				w.start()
				w.is(w.settled(w.accept(w.signed(w.push(commit1), "hook", "a")).Change.Entry.ID), core.StatusOK, "")
				id := w.accept(w.signed(w.push(commit2), "hook", "b")).Change.Entry.ID
				w.is(w.settled(id), core.StatusOK, "")
				test.change(w)
				again := w.accept(w.signed(w.push(commit2), "hook", "b"))
				if again.Change.Entry.ID != id || again.Repeat != (test.starts == 2) {
					t.Errorf("got %+v", again)
				}
				w.is(w.settled(id), core.StatusOK, "")
				if older := w.accept(w.signed(w.push(commit1), "hook", "a")); !older.Repeat {
					t.Errorf("an older one: got %+v", older)
				}
				w.settled(id)
				if got := w.platform.Starts(); len(got) != test.starts {
					t.Errorf("started %v, want %d", got, test.starts)
				}
			})
		})
	}
}
