package deploy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func TestRedeliver(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.secret("hook", "shared")
		w.start()
		r := w.signed(w.push(commit1), "shared", "a")
		r.Target = core.Target{App: "named"}
		first := w.settled(w.accept(r).Change.Entry.ID)
		w.is(first, core.StatusOK, "")
		r = w.signed(w.push(commit2), "shared", "b")
		r.Target = core.Target{}
		w.is(w.settled(w.accept(r).Change.Entry.ID), core.StatusOK, "")

		// Back to the first, and then the same once more.
		for range 2 {
			change, err := w.service.Redeliver(w.t.Context(), "dscape", first.ID, "uuid")
			if err != nil {
				t.Fatal(err)
			}
			e := w.settled(change.Entry.ID)
			w.is(e, core.StatusOK, "")
			if e.ID == first.ID || e.App != "named" || e.UUID != "uuid" || e.RedeliveryOf != first.ID || !e.Authentic || e.Commit.ID != commit1 {
				t.Errorf("got %+v", e)
			}
			<-time.After(time.Second)
		}
		want := []string{commit1, commit2, commit1, commit1}
		got := w.platform.Starts()
		if !slices.EqualFunc(got, want, func(start, commit string) bool { return strings.HasSuffix(start, commit[:12]) }) {
			t.Errorf("started %v, want %v", got, want)
		}
		for _, test := range []struct {
			user, id string
			code     core.Code
		}{{"rival", first.ID, core.CodeStatusNotFound}, {"dscape", strings.Repeat("f", 32), core.CodeStatusNotFound}} {
			if _, err := w.service.Redeliver(w.t.Context(), test.user, test.id, ""); core.CodeOf(err) != test.code {
				t.Errorf("%s of %s: got %v", test.id, test.user, err)
			}
		}
	})
}

// What is to be delivered again must have an outcome, and a payload.
func TestRedeliverIsRefused(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.start()
		held := w.deliver(w.push(commit1))
		w.is(w.settled(held), core.StatusHeld, "")
		if _, err := w.service.Redeliver(w.t.Context(), "dscape", held, ""); core.CodeOf(err) != core.CodeRedeliverLive {
			t.Errorf("of a held one: %v", err)
		}
		bare, _, err := w.store.Accept(w.t.Context(), deploy.Acceptance{Entry: core.Entry{
			ID: strings.Repeat("a", 32), User: "dscape", Provider: core.ProviderGitHub, Status: core.StatusOK,
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.service.Redeliver(w.t.Context(), "dscape", bare.Entry.ID, ""); core.CodeOf(err) != core.CodeRedeliverNoPayload {
			t.Errorf("without a payload: %v", err)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		id := w.deliver(w.push(commit2)) // no worker has it yet
		change, err := w.service.Cancel(w.t.Context(), "dscape", id)
		if err != nil {
			t.Fatal(err)
		}
		w.is(change.Entry, core.StatusSkipped, "Canceled by its owner")
		w.start()
		held := w.deliver(w.push(commit1))
		w.is(w.settled(held), core.StatusHeld, "")
		if _, err := w.service.Cancel(w.t.Context(), "rival", held); core.CodeOf(err) != core.CodeStatusNotFound {
			t.Errorf("by another user: %v", err)
		}
		if _, err := w.service.Cancel(w.t.Context(), "dscape", held); err != nil {
			t.Error(err)
		}
		w.is(w.after(time.Hour, held), core.StatusSkipped, "Canceled by its owner")
		w.is(w.settled(id), core.StatusSkipped, "Canceled by its owner")
		if _, err := w.service.Cancel(w.t.Context(), "dscape", held); core.CodeOf(err) != core.CodeCancelOver {
			t.Errorf("again: %v", err)
		}
		if got := w.platform.Starts(); len(got) != 0 {
			t.Errorf("started %v", got)
		}
	})
}

// An attempt that is under way starts nothing after its entry was canceled.
func TestCancelWhileItIsBuilt(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		ids := make(chan string, 1) // the worker may be faster than the delivery's answer
		var canceled, tooLate error
		w.platform.Uploaded = func() {
			_, canceled = w.service.Cancel(w.t.Context(), "dscape", <-ids)
		}
		w.platform.Started = func(string, string, string) {
			_, tooLate = w.service.Cancel(w.t.Context(), "dscape", <-ids)
		}
		id := w.deliver(w.push(commit1))
		ids <- id
		w.start()
		w.is(w.after(time.Hour, id), core.StatusSkipped, "Canceled by its owner")
		if got := w.platform.Starts(); canceled != nil || len(got) != 0 {
			t.Errorf("started %v, %v", got, canceled)
		}
		w.platform.Uploaded = nil
		id = w.deliver(w.push(commit2))
		ids <- id
		w.is(w.settled(id), core.StatusOK, "")
		if core.CodeOf(tooLate) != core.CodeCancelStarting {
			t.Errorf("while it was started: %v", tooLate)
		}
	})
}
