package deploy_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// What happens on the platform is an entry, with the commit of its snapshot, and is
// notified.
func TestHappened(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		notified := &listener{}
		w.notify(notified)
		w.pair()
		w.start()
		push := w.settled(w.deliver(w.push(commit1)))
		w.is(push, core.StatusOK, "")
		record := func(h deploy.Happened) core.Entry {
			t.Helper()
			change, err := w.service.Record(w.t.Context(), "uuid", h)
			if err != nil {
				t.Fatal(err)
			}
			return w.settled(change.Entry.ID)
		}
		crashed := deploy.Happened{
			ID: "one", Event: "crash", User: "dscape", App: "hello", Snapshot: push.Snapshot,
			Failure: &core.Error{Code: core.CodeAppCrashed, Reason: "The app crashed: it exited with code 1", Detail: "boom"},
		}
		crash := record(crashed)
		// A platform that does not know whether it was recorded reports it again.
		if again := record(crashed); again.ID != crash.ID {
			t.Errorf("recorded again: %+v", again)
		}
		w.is(crash, core.StatusError, "The app crashed: it exited with code 1")
		if crash.Provider != core.ProviderPlatform || crash.Kind != core.EventRelease || crash.Event != "crash" || crash.UUID != "uuid" ||
			crash.Commit.ID != commit1 || crash.Repository.Key() != w.repo.Key() || crash.Error.Detail != "boom" || crash.By != "" {
			t.Errorf("got %+v", crash)
		}
		statuses := w.forge.Statuses(commit1)
		if last := statuses[len(statuses)-1]; last.State != "failure" || last.Description != crash.Reason {
			t.Errorf("got commit statuses %+v", statuses)
		}
		w.platform.SetRunning("dscape", "hello", "by-hand")
		rollback := record(deploy.Happened{
			ID: "two", Event: "rollback", User: "dscape", App: "hello", By: "dscape", Snapshot: "by-hand", URL: "http://hello.localhost", Reason: "dscape rolled back",
		})
		w.is(rollback, core.StatusOK, "dscape rolled back")
		if rollback.By != "dscape" || rollback.Commit.ID != "" || rollback.URL != "http://hello.localhost" {
			t.Errorf("got %+v", rollback)
		}
		synctest.Wait()
		if got := notified.statuses(); got != "ok error ok" {
			t.Errorf("notified of %q", got)
		}
		// Another snapshot runs now, so the payload posted again is deployed again.
		if again := w.accept(w.request(w.push(commit1))); again.Repeat {
			t.Errorf("got %+v", again)
		}
	})
}

// The delivery of a version that was rolled back failed: the feed says so, and the same
// delivery deploys it again.
func TestRolledBack(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start()
		before := w.settled(w.deliver(w.push(commit1)))
		push := w.settled(w.deliver(w.push(commit2)))
		w.is(push, core.StatusOK, "")
		const reason = "The app crashed: snapshot two crashed, and one, which ran before, runs again"
		record := func(id, snapshot string) {
			t.Helper()
			change, err := w.service.Record(w.t.Context(), "uuid", deploy.Happened{
				ID: id, Event: "crash", User: "dscape", App: "hello", Snapshot: snapshot, RolledBack: true,
				Failure: &core.Error{Code: core.CodeAppCrashed, Reason: reason, Detail: "boom"},
			})
			if err != nil {
				t.Fatal(err)
			}
			w.is(w.settled(change.Entry.ID), core.StatusError, reason)
		}
		record("one", push.Snapshot)
		got := w.settled(push.ID)
		w.is(got, core.StatusError, reason)
		if got.Error.Code != core.CodeAppCrashed || got.Error.Detail != "boom" || !slices.Contains(got.Notes, "It was deployed, and rolled back later") || got.Revision <= push.Revision {
			t.Errorf("got %+v", got)
		}
		if other := w.settled(before.ID); other.Revision != before.Revision {
			t.Errorf("the version before has changed: %+v", other)
		}
		record("one", push.Snapshot) // recorded already
		if again := w.settled(push.ID); again.Revision != got.Revision {
			t.Errorf("written again: %+v", again)
		}
		record("two", "by-hand") // no delivery deployed it
	})
}

// The entry of a delivery that a person rolled back says so, and the same delivery
// deploys it again. The statuses of both commits say which of them runs.
func TestRolledBackByHand(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.pair()
		w.start()
		before := w.settled(w.deliver(w.push(commit1)))
		second := w.request(w.push(commit2))
		push := w.settled(w.accept(second).Change.Entry.ID)
		w.is(push, core.StatusOK, "")
		w.platform.SetRunning("dscape", "hello", before.Snapshot)
		rollback := deploy.Happened{
			ID: "one", Event: "rollback", User: "dscape", App: "hello", By: "ana", Snapshot: before.Snapshot, Replaced: push.Snapshot, Reason: "ana rolled back",
		}
		for range 2 { // the platform reports it again if it does not know that it was recorded
			change, err := w.service.Record(w.t.Context(), "uuid", rollback)
			if err != nil {
				t.Fatal(err)
			}
			w.is(w.settled(change.Entry.ID), core.StatusOK, rollback.Reason)
		}
		note := "It was deployed, and ana rolled it back to snapshot " + before.Snapshot + " later"
		got := w.settled(push.ID)
		w.is(got, core.StatusOK, note)
		if !slices.Contains(got.Notes, note) || got.Revision != push.Revision+1 {
			t.Errorf("got %+v", got)
		}
		if other := w.settled(before.ID); other.Revision != before.Revision {
			t.Errorf("the version before has changed: %+v", other)
		}
		for commit, want := range map[string]string{
			commit1: "success: Rolled back hello",
			commit2: "inactive: Deployed hello; ana rolled it back to " + before.Snapshot + " later",
		} {
			statuses := w.forge.Statuses(commit)
			if last := statuses[len(statuses)-1]; last.App != "hello" || last.State+": "+last.Description != want {
				t.Errorf("got %+v, want %s", statuses, want)
			}
		}
		again := w.accept(second)
		if again.Repeat || again.Change.Entry.ID != push.ID {
			t.Errorf("got %+v", again)
		}
		w.is(w.settled(push.ID), core.StatusOK, "")
	})
}

// full is a store that accepts nothing.
type full struct{ *coretest.Memory }

func (full) Accept(context.Context, deploy.Acceptance) (core.Change, bool, error) {
	return core.Change{}, false, errors.New("no space left on device")
}

func TestHappenedIsNotStored(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.options.Store = full{w.store}
		_, err := deploy.New(w.options).Record(w.t.Context(), "uuid", deploy.Happened{Event: "stop", User: "dscape", App: "hello"})
		if core.CodeOf(err) != core.CodeFailedToStorePayload {
			t.Errorf("got %v", err)
		}
	})
}
