package deploy_test

import (
	"errors"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// A delivery that was ignored is deployed if it is sent again to a URL that names its
// branch.
func TestRepeatForAnotherBranch(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]func(w *world) core.Event{
		"push":  func(w *world) core.Event { return w.push(commit1) },
		"build": func(w *world) core.Event { return w.build(commit1, core.BuildPassed) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.start()
				first, second := w.request(event(w)), w.request(event(w))
				first.Target.Branch = "other"
				id := w.accept(first).Change.Entry.ID
				w.is(w.settled(id), core.StatusIgnored, `"other"`)
				e := w.settled(w.accept(second).Change.Entry.ID)
				w.is(e, core.StatusOK, "")
				if e.ID == id || e.DeployBranch != "main" {
					t.Errorf("got entry %s of branch %q, want another entry than %s", e.ID, e.DeployBranch, id)
				}
				if again := w.accept(first); !again.Repeat || again.Change.Entry.ID != id {
					t.Errorf("the first one again: got %+v", again)
				}
			})
		})
	}
}

// Deliveries of one commit do not supersede each other if all of them failed: nothing
// newer was deployed.
func TestSameCommitSupersedesNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.platform.Fail("Start", errors.New("exits at once"), errors.New("exits at once"))
		w.start()
		first := w.deliver(w.push(commit1), "X-Github-Delivery", "d1")
		w.is(w.settled(first), core.StatusError, "")
		second := w.deliver(w.push(commit1), "X-Github-Delivery", "d2")
		w.is(w.settled(second), core.StatusError, "")
		w.deliver(w.push(commit1), "X-Github-Delivery", "d1")
		w.is(w.settled(first), core.StatusOK, "")

		// What is newer supersedes them both.
		w.is(w.settled(w.deliver(w.push(commit2), "X-Github-Delivery", "d3")), core.StatusOK, "")
		w.deliver(w.push(commit1), "X-Github-Delivery", "d2")
		w.is(w.settled(second), core.StatusSkipped, "Superseded by a newer push to main")
		if got := w.platform.Starts(); len(got) != 2 {
			t.Errorf("started %v", got)
		}
	})
}

// Two deliveries of a commit at a time deploy it once.
func TestSameCommitIsDeployedOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.start()
		first := w.deliver(w.push(commit1), "X-Github-Delivery", "d1")
		w.is(w.settled(first), core.StatusHeld, "")
		second := w.deliver(w.push(commit1), "X-Github-Delivery", "d2")
		w.is(w.settled(first), core.StatusSkipped, "another delivery of the same commit")
		w.is(w.settled(second), core.StatusHeld, "")
	})
}
