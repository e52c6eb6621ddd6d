package deploy_test

import (
	"errors"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// What was ignored is deployed when it comes again for its branch.
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
				first, second := w.request(event(w)), w.request(event(w), "Signed-With", "nobody")
				first.Branch = "other"
				id := w.accept(first).Change.Entry.ID
				w.is(w.settled(id), core.StatusIgnored, `"other"`)
				if receipt := w.accept(second); receipt.Repeat || receipt.Change.Entry.ID != id {
					t.Errorf("got %+v, want another attempt of the same entry", receipt)
				}
				e := w.settled(id)
				w.is(e, core.StatusOK, "")
				if e.DeployBranch != "main" || e.Signature != core.SignatureUnchecked || len(e.Notes) != 1 {
					t.Errorf("the entry tells of the first delivery: %q, %s, %q", e.DeployBranch, e.Signature, e.Notes)
				}
			})
		})
	}
}

// The signature covers the payload, not the query: whoever got hold of a signed
// delivery must not choose what of it is deployed.
func TestSignedRepeatForAnotherBranchIsStillIgnored(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		hook := core.ThirdPartyToken{ID: "hook", Provider: core.TokenWebhookSecret, Token: core.NewSecret("shared")}
		if err := w.accounts.SetToken(w.t.Context(), "dscape", hook); err != nil {
			w.t.Fatal(err)
		}
		w.start()
		signed := w.request(w.push(commit1), "X-Github-Delivery", "guid", "Signed-With", "shared")
		signed.Credentials, signed.User, signed.Branch = nil, "dscape", "other"
		id := w.accept(signed).Change.Entry.ID
		signed.Branch = "main"
		if receipt := w.accept(signed); !receipt.Repeat {
			t.Errorf("got %+v", receipt)
		}
		w.is(w.settled(id), core.StatusIgnored, `"other"`)
		signed.Credentials = &core.Credentials{Username: "dscape", Password: core.NewSecret("secret")}
		w.accept(signed)
		w.is(w.settled(id), core.StatusOK, "")
	})
}

// Deliveries of one commit do not supersede each other where none came to
// something: there is nothing newer.
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
