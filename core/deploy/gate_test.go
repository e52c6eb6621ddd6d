package deploy_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

type failingStore struct{ deploy.Store }

func (failingStore) Accept(context.Context, deploy.Acceptance) (core.Change, bool, error) {
	return core.Change{}, false, errors.New("disk full")
}

func TestHeldPushIsReleasedByAPass(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.start()
		id := w.deliver(w.push(commit1))
		held := w.settled(id)
		w.is(held, core.StatusHeld, "Waits for the report of travis")
		if held.Hold == nil || held.Hold.Until.Sub(held.CreatedAt) < 30*time.Minute {
			t.Errorf("held by %+v", held.Hold)
		}
		report := w.deliver(w.build(commit1, core.BuildPassed))
		w.is(w.settled(id), core.StatusOK, "")
		w.is(w.settled(report), core.StatusOK, "Released")
		if got := len(w.platform.Starts()); got != 1 {
			t.Errorf("deployed %d times", got)
		}
	})
}

// Who sends a report wants to know what comes of the push that it releases.
func TestWaitForWhatAReportReleases(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.platform.Fail("Start", errors.New("exits at once"))
		w.start()
		id := w.deliver(w.push(commit1))
		w.is(w.settled(id), core.StatusHeld, "")
		passed := w.build(commit1, core.BuildPassed)
		passed.Build.URL = "https://travis-ci.example/builds/1"
		for _, want := range []core.Status{core.StatusError, core.StatusError} { // the second time it is a repeat
			report := w.deliver(passed)
			change, err := w.service.Wait(w.t.Context(), report)
			if err != nil || change.Entry.ID != id || change.Entry.Status != want {
				t.Errorf("got the entry %s, %s, %v; want the push %s, %s", change.Entry.ID, change.Entry.Status, err, id, want)
			}
		}
		if notes := w.settled(id).Notes; len(notes) != 1 || !strings.Contains(notes[0], "request u: "+passed.Build.URL) {
			t.Errorf("the push has no note about the report: %q", notes)
		}
	})
}

// The sender of a signed report does not learn what it releases.
func TestSignedReportDoesNotTellWhatItReleases(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.travisKeys()
		w.waiting(commit1)
		w.start()
		id := w.deliver(w.push(commit1))
		w.is(w.settled(id), core.StatusHeld, "")
		signed := w.request(w.build(commit1, core.BuildPassed), "Signed-With", "travis")
		signed.Credentials = nil
		report := w.accept(signed).Change.Entry.ID
		change, err := w.service.Wait(w.t.Context(), report)
		if err != nil || change.Entry.ID != report || change.Entry.Releases != "" {
			t.Errorf("got %+v, %v; want the report alone", change.Entry, err)
		}
		w.is(w.settled(id), core.StatusOK, "")
	})
}

// Another user may send as many reports on a commit as it likes.
func TestReportsOfAnotherUserHideNoPush(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.travisKeys()
		w.accounts.AddUser("mallory", core.NewSecret("m"))
		w.waiting(commit1)
		w.start()
		id := w.deliver(w.push(commit1))
		w.is(w.settled(id), core.StatusHeld, "")
		crowd := func() {
			for range 100 {
				report := w.build(commit1, core.BuildFailed)
				report.Build.ID = w.options.NewID()
				r := w.request(report)
				r.Credentials = &core.Credentials{Username: "mallory", Password: core.NewSecret("m")}
				w.is(w.settled(w.accept(r).Change.Entry.ID), core.StatusSkipped, "nothing is deployed")
			}
		}
		crowd()
		signed := w.request(w.build(commit1, core.BuildPassed), "Signed-With", "travis")
		signed.Credentials = nil
		report := w.accept(signed).Change.Entry.ID
		w.is(w.settled(id), core.StatusOK, "")
		w.is(w.settled(report), core.StatusOK, "Released")

		crowd()
		again := w.deliver(w.push(commit1), "X-Github-Delivery", "2") // which finds the report
		w.is(w.settled(again), core.StatusOK, "runs this commit already")
	})
}

// Travis builds the last commit of a push that does not skip CI: the report
// may name another commit than the head.
func TestHeldPushIsReleasedByAReportOnAnotherOfItsCommits(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit2)
		w.start()
		push := w.push(commit2)
		push.Commits = []string{commit1, commit2}
		id := w.deliver(push)
		w.is(w.settled(id), core.StatusHeld, "")
		w.deliver(w.build(commit1, core.BuildPassed))
		e := w.settled(id)
		w.is(e, core.StatusOK, "")
		if e.Commit.ID != commit2 {
			t.Errorf("deployed %s", e.Commit.ID)
		}
	})
}

// What waits belongs to its app already, and so does what Travis CI stopped;
// No commit status is set for a deployment that was not begun.
func TestHeldAndSkippedPushesBelongToTheirApp(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		token := core.ThirdPartyToken{ID: "github", Provider: core.TokenGitHub, App: core.AnyApp, Login: "dscape", Token: core.NewSecret("t")}
		if err := w.accounts.SetToken(w.t.Context(), "dscape", token); err != nil {
			w.t.Fatal(err)
		}
		w.waiting(commit1, commit2)
		w.start()
		held := w.settled(w.deliver(w.push(commit1)))
		w.is(held, core.StatusHeld, "")
		skips := w.push(commit2)
		skips.SkipsCI = true
		skipped := w.settled(w.deliver(skips))
		w.is(skipped, core.StatusSkipped, "build nothing")
		for _, e := range []core.Entry{held, w.settled(held.ID), skipped} {
			if e.App != "hello" {
				t.Errorf("the %s entry belongs to the app %q", e.Status, e.App)
			}
		}
		if got := append(w.forge.Statuses(commit1), w.forge.Statuses(commit2)...); len(got) != 0 {
			t.Errorf("got the commit statuses %v", got)
		}
	})
}

// A package.json that GitHub can't give for now keeps no push from waiting; one
// that does not exist is reported at once.
func TestPackageJSONBeforeTheHold(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.forge.Commit(w.repo, commit2, map[string]string{".travis.yml": waits})
		w.forge.Fail("File", nil, core.Transient(errors.New("502"), 0))
		w.start()
		id := w.deliver(w.push(commit1))
		w.is(w.settled(id), core.StatusHeld, "Waits for the report of travis")
		w.deliver(w.build(commit1, core.BuildPassed))
		w.is(w.settled(id), core.StatusOK, "")
		w.is(w.settled(w.deliver(w.push(commit2))), core.StatusError, core.Reason(core.CodeNoPackageJSON))
	})
}

func TestHeldPushIsSkippedByAFailure(t *testing.T) {
	t.Parallel()
	for _, state := range []core.BuildState{core.BuildFailed, core.BuildErrored, core.BuildCanceled} {
		inWorld(t, func(w *world) {
			w.waiting(commit1)
			w.start()
			id := w.deliver(w.push(commit1))
			w.is(w.settled(id), core.StatusHeld, "")
			report := w.deliver(w.build(commit1, state))
			w.is(w.settled(id), core.StatusSkipped, string(state))
			w.is(w.settled(report), core.StatusSkipped, string(state))
			if got := len(w.platform.Starts()); got != 0 {
				t.Errorf("deployed %d times", got)
			}
		})
	}
}

func TestHoldEnds(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.start()
		id := w.deliver(w.push(commit1), "X-Github-Delivery", "guid")
		w.is(w.after(29*time.Minute, id), core.StatusHeld, "")
		w.is(w.after(2*time.Minute, id), core.StatusSkipped, "The report of travis did not come within 30m0s")
		// Redelivered, it waits once more.
		w.deliver(w.push(commit1), "X-Github-Delivery", "guid")
		w.is(w.settled(id), core.StatusHeld, "")
	})
}

func TestNewerPushSupersedesAHeldOne(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1, commit2)
		w.start()
		first := w.deliver(w.push(commit1))
		w.is(w.settled(first), core.StatusHeld, "")
		second := w.deliver(w.push(commit2))
		w.is(w.settled(first), core.StatusSkipped, "Superseded")
		w.is(w.settled(second), core.StatusHeld, "")
	})
}

// slowGate is a gate that takes a second to say whether a push has to wait.
type slowGate struct{ gate }

func (g slowGate) Required(ctx context.Context, push core.Entry, file func(context.Context, string) ([]byte, error)) (core.Wait, error) {
	<-time.After(time.Second)
	return g.gate.Required(ctx, push, file)
}

func TestNewerPushSupersedesOneWhoseGateIsAsked(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.options.Gates = []deploy.Gate{slowGate{gate{name: "travis", path: ".travis.yml", keys: []string{"build"}}}}
		w.worker = deploy.NewWorker(w.options)
		w.waiting(commit1, commit2)
		w.start()
		first := w.deliver(w.push(commit1))
		w.is(w.after(time.Second/2, first), core.StatusPending, "")
		second := w.deliver(w.push(commit2))
		w.is(w.after(time.Second/2, first), core.StatusSkipped, "Superseded")
		w.is(w.after(time.Second, second), core.StatusHeld, "")
	})
}

func TestOwnerReleases(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.start()
		id := w.deliver(w.push(commit1))
		w.is(w.settled(id), core.StatusHeld, "")
		if _, err := w.service.Release(w.t.Context(), "rival", id); core.CodeOf(err) != core.CodeStatusNotFound {
			t.Errorf("another user: got %v", err)
		}
		if _, err := w.service.Release(w.t.Context(), "dscape", id); err != nil {
			t.Fatal(err)
		}
		w.is(w.settled(id), core.StatusOK, "")
		if _, err := w.service.Release(w.t.Context(), "dscape", id); core.CodeOf(err) != core.CodeNotHeld {
			t.Errorf("twice: got %v", err)
		}
	})
}

func TestPushThatSkipsCIIsNotHeld(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.start()
		push := w.push(commit1)
		push.Commit.Message, push.SkipsCI = "docs [CI skip]", true
		w.is(w.settled(w.deliver(push)), core.StatusSkipped, "build nothing")
	})
}

// Travis builds the commit before a head that skips CI, so there is a report
// to wait for.
func TestPushWhoseHeadAloneSkipsCIIsHeld(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit2)
		w.start()
		push := w.push(commit2)
		push.Commit.Message, push.Commits = "docs [CI skip]", []string{commit1, commit2}
		id := w.deliver(push)
		w.is(w.settled(id), core.StatusHeld, "Waits for the report of travis")
		w.deliver(w.build(commit1, core.BuildPassed))
		w.is(w.settled(id), core.StatusOK, "")
	})
}

// Travis' signature proves that Travis says so, not that the user does: such
// a report releases what comes within the hold time, and deploys nothing.
func TestSignedReportBeforeThePush(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.travisKeys()
		w.waiting(commit1)
		w.start()
		signed := w.request(w.build(commit1, core.BuildPassed), "Signed-With", "travis")
		signed.Credentials = nil
		report := w.accept(signed).Change.Entry.ID
		w.is(w.settled(report), core.StatusHeld, "the push of the commit")
		id := w.deliver(w.push(commit1))
		w.is(w.settled(id), core.StatusOK, "")
		w.is(w.settled(report), core.StatusOK, "Released")

		w.is(w.settled(w.accept(func() deploy.Request {
			r := w.request(w.build(commit2, core.BuildPassed), "Signed-With", "travis")
			r.Credentials, r.User = nil, "dscape"
			return r
		}()).Change.Entry.ID), core.StatusHeld, "the push of the commit")
		if got := len(w.platform.Starts()); got != 1 {
			t.Errorf("deployed %d times", got)
		}
	})
}

func TestReportWithCredentialsDeploysByItself(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.start()
		report := w.deliver(w.build(commit1, core.BuildPassed))
		w.is(w.settled(report), core.StatusOK, "")
		// The push that comes late finds its commit deployed.
		w.is(w.settled(w.deliver(w.push(commit1))), core.StatusSkipped, "deployed the commit already")
		want := []string{"dscape/hello/1.0.0-111111111111"}
		if got := w.platform.Starts(); !slices.Equal(got, want) {
			t.Errorf("started %v", got)
		}
	})
}

func TestBuildOfAnotherBranchIsIgnored(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start()
		event := w.build(commit1, core.BuildPassed)
		event.Branch = "feature"
		w.is(w.settled(w.deliver(event)), core.StatusIgnored, `"feature"`)
	})
}

func TestUnreadableTravisConfigDoesNotHold(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.options.Gates = []deploy.Gate{gate{name: "travis", path: ".travis.yml", err: errors.New("line 3")}}
		w.worker = deploy.NewWorker(w.options)
		w.waiting(commit1)
		w.start()
		e := w.settled(w.deliver(w.push(commit1)))
		w.is(e, core.StatusOK, "")
		if len(e.Notes) != 1 {
			t.Errorf("got notes %q", e.Notes)
		}
	})
}

// Travis may be slower than the hold: the push is deployed then, unless
// something newer was accepted meanwhile.
func TestPassAfterTheHold(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1, commit2)
		w.start()
		first := w.deliver(w.push(commit1))
		w.is(w.after(time.Hour, first), core.StatusSkipped, "The report of travis did not come within 30m0s")
		w.deliver(w.build(commit1, core.BuildPassed))
		w.is(w.settled(first), core.StatusOK, "")

		second := w.deliver(w.push(commit2))
		w.is(w.settled(second), core.StatusHeld, "")
		third := w.deliver(w.push(commit3))
		w.is(w.settled(third), core.StatusOK, "")
		late := w.build(commit2, core.BuildPassed)
		late.Build.ID = "2"
		w.deliver(late)
		w.is(w.settled(second), core.StatusSkipped, "Superseded")
		want := []string{"dscape/hello/1.0.0-111111111111", "dscape/hello/1.0.0-333333333333"}
		if got := w.platform.Starts(); !slices.Equal(got, want) {
			t.Errorf("started %v, want %v", got, want)
		}
	})
}

// A build that failed and passes when it is run again.
func TestRestartedBuild(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.start()
		id := w.deliver(w.push(commit1))
		w.is(w.settled(id), core.StatusHeld, "")
		w.deliver(w.build(commit1, core.BuildFailed))
		w.is(w.settled(id), core.StatusSkipped, "failed")
		again := w.deliver(w.build(commit1, core.BuildPassed))
		w.is(w.settled(id), core.StatusOK, "")
		w.is(w.settled(again), core.StatusOK, "Released")
	})
}

// crossing is a store that runs before ahead of the first hold of a push, and fails the
// first time that the entries of a commit are read after that.
type crossing struct {
	*coretest.Memory
	before  func()
	failing atomic.Bool
}

func (s *crossing) Hold(ctx context.Context, e core.Entry, claim int, until time.Time) (core.Change, error) {
	if e.Kind == core.EventPush && s.before != nil {
		s.before()
		s.before = nil
		s.failing.Store(true)
	}
	return s.Memory.Hold(ctx, e, claim, until)
}

func (s *crossing) ByCommit(ctx context.Context, user, repository string, commits []string) ([]core.Change, error) {
	if s.failing.CompareAndSwap(true, false) {
		return nil, errors.New("connection refused")
	}
	return s.Memory.ByCommit(ctx, user, repository, commits)
}

// A report that comes while the hold of its push is being saved counts, even if the
// look for it right after that fails or, as the process dies, is never made.
func TestReportCrossesTheHold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		state  core.BuildState
		status core.Status
		reason string
	}{
		{core.BuildPassed, core.StatusOK, ""},
		{core.BuildFailed, core.StatusSkipped, "build 1 failed"},
	} {
		inWorld(t, func(w *world) {
			store, report := &crossing{Memory: w.store}, ""
			store.before = func() {
				report = w.deliver(w.build(commit1, test.state))
				<-time.After(time.Second)
			}
			w.options.Store = store
			w.service, w.worker = deploy.New(w.options), deploy.NewWorker(w.options)
			w.waiting(commit1)
			w.start()
			id := w.deliver(w.push(commit1))
			w.is(w.after(2*time.Second, id), core.StatusHeld, "")
			if e := w.settled(report); !e.Status.Outcome() {
				t.Errorf("the report is %s", e.Status)
			}
			w.is(w.after(time.Minute, id), test.status, test.reason)
		})
	}
}

// slowReports is a store that takes a second to save the step of a report.
type slowReports struct{ *coretest.Memory }

func (s slowReports) Update(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	if e.Kind == core.EventBuild {
		<-time.After(time.Second)
	}
	return s.Memory.Update(ctx, e, claim)
}

// A report that was accepted within the hold of its push counts, even if it is worked on
// only after that, as no process was there.
func TestReportIsWorkedOnAfterTheHold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		state  core.BuildState
		status core.Status
		reason string
	}{
		{core.BuildPassed, core.StatusOK, ""},
		{core.BuildFailed, core.StatusSkipped, "build 1 failed"},
	} {
		inWorld(t, func(w *world) {
			w.waiting(commit1)
			w.start()
			id := w.deliver(w.push(commit1))
			w.is(w.after(2*time.Minute, id), core.StatusHeld, "")
			w.stop()
			w.deliver(w.build(commit1, test.state))
			<-time.After(time.Hour)
			w.options.Store = slowReports{w.store}
			w.worker = deploy.NewWorker(w.options)
			w.start()
			w.is(w.settled(id), test.status, test.reason)
		})
	}
}
