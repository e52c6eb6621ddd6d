package deploy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

const ci = ".github/workflows/ci.yml"

// run is a workflow run of a push to main.
func run(state deploy.CheckState, change ...func(*deploy.Check)) deploy.Check {
	c := deploy.Check{
		Key: ci, Name: "CI", Run: "7", Event: "push", Branch: "main", State: state, URL: "https://x/7", Own: true,
		Detail: map[deploy.CheckState]string{deploy.CheckRunning: "in_progress", deploy.CheckFailed: "timed_out", deploy.CheckCanceled: "cancelled"}[state],
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func of(key string) func(*deploy.Check) { return func(c *deploy.Check) { c.Key = key } }

func started(event, branch string) func(*deploy.Check) {
	return func(c *deploy.Check) { c.Event, c.Branch = event, branch }
}

// paired gives the user an access token for the forge.
func (w *world) paired() {
	w.t.Helper()
	token := core.ThirdPartyToken{ID: "github", Provider: core.TokenGitHub, App: core.AnyApp, Login: "dscape", Token: core.NewSecret("t")}
	if err := w.accounts.SetToken(w.t.Context(), "dscape", token); err != nil {
		w.t.Fatal(err)
	}
}

// gated delivers a push that asks for a gate.
func (w *world) gated(commit, gate string, change ...func(*deploy.Request)) string {
	w.t.Helper()
	r := w.request(w.push(commit))
	r.Target.Gate = gate
	for _, f := range change {
		f(&r)
	}
	return w.accept(r).Change.Entry.ID
}

// event is a report that something about the checks of a commit changed.
func (w *world) event(commit string, state core.BuildState, build core.Build) core.Event {
	build.Gate, build.State = core.GateChecks, state
	if build.Type == "" {
		build.Type = "push"
	}
	return core.Event{
		Provider: core.ProviderGitHub, Kind: core.EventBuild, Name: "workflow_run", Repository: w.repo, Branch: "main",
		Commit: core.Commit{ID: commit}, Commits: []string{commit}, Build: build,
	}
}

func TestWhichChecksCount(t *testing.T) {
	t.Parallel()
	status := func(c *deploy.Check) { c.Key, c.Event, c.Branch, c.Own = "status:ci/x", "", "", false }
	for name, test := range map[string]struct {
		gate   string
		checks []deploy.Check
		status core.Status
		reason string
	}{
		"passed":                 {"checks", []deploy.Check{run(deploy.CheckPassed)}, core.StatusOK, ""},
		"named":                  {ci, []deploy.Check{run(deploy.CheckPassed), run(deploy.CheckFailed, of("lint.yml"))}, core.StatusOK, ""},
		"one failed":             {"checks", []deploy.Check{run(deploy.CheckPassed), run(deploy.CheckFailed, of("a/lint.yml"))}, core.StatusSkipped, "Lint.yml, run 7, did not pass: timed out (https://x/7)"},
		"passed and skipped":     {"checks", []deploy.Check{run(deploy.CheckPassed), run(deploy.CheckNeutral, of("lint.yml"))}, core.StatusOK, ""},
		"all skipped":            {"checks", []deploy.Check{run(deploy.CheckNeutral)}, core.StatusSkipped, "no run that is not skipped"},
		"none":                   {"checks", nil, core.StatusSkipped, "no run of a workflow for this commit: a path filter"},
		"the named one missing":  {ci, []deploy.Check{run(deploy.CheckPassed, of("lint.yml"))}, core.StatusSkipped, "no run of ci.yml"},
		"canceled":               {ci, []deploy.Check{run(deploy.CheckCanceled)}, core.StatusSkipped, "Waited 30m0s for ci.yml, run 7, to be run again: it was cancelled"},
		"waits for a person":     {ci, []deploy.Check{run(deploy.CheckWaiting)}, core.StatusSkipped, "Waited 30m0s for ci.yml, run 7, which waits for a person to act on it"},
		"of a schedule":          {"checks", []deploy.Check{run(deploy.CheckFailed, started("schedule", "main")), run(deploy.CheckPassed)}, core.StatusOK, ""},
		"of a pull request":      {"checks", []deploy.Check{run(deploy.CheckPassed, started("pull_request", "main"))}, core.StatusSkipped, "no run"},
		"of another branch":      {"checks", []deploy.Check{run(deploy.CheckPassed, started("push", "feature"))}, core.StatusSkipped, "no run"},
		"of the merge queue":     {"checks", []deploy.Check{run(deploy.CheckPassed, started("merge_group", "gh-readonly-queue/main/pr-1-abc"))}, core.StatusOK, ""},
		"of another merge queue": {"checks", []deploy.Check{run(deploy.CheckPassed, started("merge_group", "gh-readonly-queue/next/pr-1-abc"))}, core.StatusSkipped, "no run"},
		"by hand, not named":     {"checks", []deploy.Check{run(deploy.CheckFailed, started("workflow_dispatch", "main")), run(deploy.CheckPassed, of("b.yml"))}, core.StatusOK, ""},
		"by hand, named":         {ci, []deploy.Check{run(deploy.CheckPassed, started("workflow_dispatch", "main")), run(deploy.CheckFailed)}, core.StatusOK, ""},
		"a status":               {"status:ci/x", []deploy.Check{run(deploy.CheckPassed, status), run(deploy.CheckFailed)}, core.StatusOK, ""},
		"a status, failed":       {"status:ci/x", []deploy.Check{run(deploy.CheckFailed, status)}, core.StatusSkipped, "The status ci/x"},
		"statuses not named":     {"checks", []deploy.Check{run(deploy.CheckFailed, status), run(deploy.CheckPassed)}, core.StatusOK, ""},
		"no gate":                {"none", []deploy.Check{run(deploy.CheckFailed)}, core.StatusOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.paired()
				w.waiting(commit1) // a gate that is asked for takes the place of the repository's
				w.forge.SetChecks(commit1, test.checks...)
				w.start()
				w.is(w.after(time.Hour, w.gated(commit1, test.gate)), test.status, test.reason)
			})
		})
	}
}

func TestInvalidGate(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for _, gate := range []string{"ci", "ci.yml", "checks,a/b.yml", "../a.yml", "a/../b.yml", "status:", "a/b.txt", ",", strings.Repeat("a/b.yml,", 5) + "\x00"} {
			r := w.request(w.push(commit1))
			r.Target.Gate = gate
			if _, err := w.service.Deliver(w.t.Context(), r); core.CodeOf(err) != core.CodeDeployParams {
				t.Errorf("gate %q: got %v", gate, err)
			}
		}
	})
}

// The entry says what it waits for, and each look is a change.
func TestHeldForChecks(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.paired()
		w.start()
		id := w.gated(commit1, ci)
		held := w.settled(id)
		w.is(held, core.StatusHeld, "Waits for a run of ci.yml, until ")
		since := time.Now()
		w.forge.SetChecks(commit1, run(deploy.CheckRunning, func(c *deploy.Check) { c.Since = since }))
		w.is(w.after(121*time.Second, id), core.StatusHeld, "Waits for ci.yml, run 7, in progress for 2 min, until ")
		// A run that counts prolongs the hold, up to two hours.
		w.is(w.after(110*time.Minute, id), core.StatusHeld, "in progress for 112 min")
		w.is(w.after(10*time.Minute, id), core.StatusSkipped, "Waited 2h0m0s for ci.yml, run 7, in progress for 120 min")
		if got := len(w.platform.Starts()); got != 0 {
			t.Errorf("deployed %d times", got)
		}
	})
}

// An event wakes the decision, and the forge's answer decides, whatever the event
// says.
func TestEventWakesTheDecision(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.paired()
		w.forge.SetChecks(commit1, run(deploy.CheckRunning))
		w.start()
		id := w.gated(commit1, ci)
		w.is(w.settled(id), core.StatusHeld, "in progress")
		early := w.deliver(w.event(commit1, core.BuildPassed, core.Build{ID: "1", Key: ci, Number: "7"}))
		w.is(w.settled(early), core.StatusOK, "looks at its checks again")
		w.is(w.settled(id), core.StatusHeld, "in progress")
		w.forge.SetChecks(commit1, run(deploy.CheckPassed))
		w.deliver(w.event(commit1, core.BuildStarted, core.Build{ID: "2", Type: "check_suite"}))
		e := w.settled(id)
		w.is(e, core.StatusOK, "")
		if e.Released != "ci.yml passed" {
			t.Errorf("released by %q", e.Released)
		}
		other := w.deliver(w.event(commit2, core.BuildPassed, core.Build{ID: "3", Key: ci}))
		w.is(w.settled(other), core.StatusIgnored, "No push")
	})
}

// With all checks, one that starts late counts if it comes before the others settled.
func TestCheckThatStartsLate(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.paired()
		w.forge.SetChecks(commit1, run(deploy.CheckPassed))
		w.start()
		id := w.gated(commit1, "checks")
		w.is(w.after(10*time.Second, id), core.StatusHeld, "Waits for more checks; so far ci.yml passed")
		w.forge.SetChecks(commit1, run(deploy.CheckPassed), run(deploy.CheckRunning, of("a/late.yml")))
		w.is(w.after(10*time.Second, id), core.StatusHeld, "late.yml, run 7, in progress")
		w.forge.SetChecks(commit1, run(deploy.CheckPassed), run(deploy.CheckPassed, of("a/late.yml")))
		w.is(w.after(time.Minute, id), core.StatusHeld, "so far")
		w.is(w.after(15*time.Second, id), core.StatusOK, "")
	})
}

// A re-run that passes revives the push if it is still the newest.
func TestReRunRevives(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.paired()
		w.forge.SetChecks(commit1, run(deploy.CheckFailed))
		w.start()
		id := w.gated(commit1, "checks")
		w.is(w.settled(id), core.StatusSkipped, "did not pass")
		w.deliver(w.event(commit1, core.BuildStarted, core.Build{ID: "1", Attempt: 2}))
		w.is(w.settled(id), core.StatusSkipped, "did not pass")
		w.forge.SetChecks(commit1, run(deploy.CheckPassed))
		w.deliver(w.event(commit1, core.BuildPassed, core.Build{ID: "1", Attempt: 2}))
		w.is(w.after(20*time.Second, id), core.StatusOK, "")

		// Not one that was superseded, even if its own checks pass later.
		w.forge.SetChecks(commit2, run(deploy.CheckRunning))
		second := w.gated(commit2, "checks")
		w.is(w.settled(second), core.StatusHeld, "")
		w.forge.SetChecks(commit3, run(deploy.CheckPassed))
		third := w.gated(commit3, "checks")
		w.is(w.settled(second), core.StatusSkipped, "Superseded")
		w.forge.SetChecks(commit2, run(deploy.CheckPassed))
		revision := w.settled(second).Revision
		w.deliver(w.event(commit2, core.BuildPassed, core.Build{ID: "2"}))
		if e := w.settled(second); e.Revision != revision {
			t.Errorf("changed to %s (%s)", e.Status, e.Reason)
		}
		w.is(w.after(time.Minute, third), core.StatusOK, "")
	})
}

// Only its owner can release a push whose checks still run.
func TestReleaseWithoutChecks(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.paired()
		w.forge.SetChecks(commit1, run(deploy.CheckRunning))
		w.start()
		id := w.gated(commit1, ci)
		w.is(w.settled(id), core.StatusHeld, "in progress")
		if _, err := w.service.Release(w.t.Context(), "rival", id); core.CodeOf(err) != core.CodeStatusNotFound {
			t.Errorf("released by another user: %v", err)
		}
		if _, err := w.service.Release(w.t.Context(), "dscape", id); err != nil {
			t.Fatal(err)
		}
		w.is(w.settled(id), core.StatusOK, "")
	})
}

// A push that was skipped because nothing had passed in time is deployed if a run passes
// later, as one that GitHub started late.
func TestRunThatPassesLate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		checks []deploy.Check
		reason string
	}{
		"no run":      {nil, "There is no run of ci.yml"},
		"all skipped": {[]deploy.Check{run(deploy.CheckNeutral)}, "no run that is not skipped"},
		"cancelled":   {[]deploy.Check{run(deploy.CheckCanceled)}, "it was cancelled"},
		"running":     {[]deploy.Check{run(deploy.CheckRunning)}, "Waited 2h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.paired()
				w.forge.SetChecks(commit1, test.checks...)
				w.start()
				id := w.gated(commit1, ci)
				w.is(w.after(3*time.Hour, id), core.StatusSkipped, test.reason)
				w.forge.SetChecks(commit1, run(deploy.CheckPassed))
				w.deliver(w.event(commit1, core.BuildPassed, core.Build{ID: "1", Key: ci}))
				w.is(w.settled(id), core.StatusOK, "")
			})
		})
	}
}

func TestPushWithoutChecks(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.paired()
		w.start()
		id := w.gated(commit1, "checks", func(r *deploy.Request) { r.Target.GateEmpty = "deploy" })
		w.is(w.after(4*time.Minute, id), core.StatusHeld, "Waits for a run of a workflow")
		w.is(w.after(time.Minute+time.Second, id), core.StatusOK, "")

		// Nothing comes for a commit that asks for it.
		skips := w.push(commit2)
		skips.Commit.Message = "docs\n\nskip-checks: true"
		r := w.request(skips)
		r.Target.Gate = ci
		w.is(w.settled(w.accept(r).Change.Entry.ID), core.StatusSkipped, "There is no run of ci.yml")
	})
}

// Without a token the signed reports decide about the checks that are named,
// whatever order they come in.
func TestChecksWithoutToken(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start()
		w.is(w.settled(w.gated(commit3, "checks")), core.StatusSkipped, "not paired with github.com, so only checks that are named")

		attempt1 := core.Build{ID: "9", Number: "7", Attempt: 1, Key: ci, Message: "failure"}
		w.is(w.settled(w.deliver(w.event(commit1, core.BuildFailed, attempt1))), core.StatusIgnored, "No push")
		fork := w.event(commit1, core.BuildPassed, core.Build{ID: "99", Key: ci, PullRequest: true})
		w.deliver(fork)
		id := w.gated(commit1, ci)
		w.is(w.settled(id), core.StatusSkipped, "Ci.yml, run 7, did not pass: failure")
		attempt2 := attempt1
		attempt2.Attempt, attempt2.Message = 2, "success"
		w.deliver(w.event(commit1, core.BuildPassed, attempt2))
		w.is(w.settled(id), core.StatusOK, "")

		// The end of a run, and then its beginning.
		id = w.gated(commit2, ci+",status:cover")
		w.is(w.settled(id), core.StatusHeld, "a run of ci.yml, the status cover")
		first := core.Build{ID: "10", Number: "8", Attempt: 1, Key: ci}
		w.deliver(w.event(commit2, core.BuildPassed, first))
		first.Message = "in_progress"
		w.deliver(w.event(commit2, core.BuildStarted, first))
		w.is(w.settled(id), core.StatusHeld, "Waits for a run of the status cover")
		w.deliver(w.event(commit2, core.BuildPassed, core.Build{ID: "11", Key: "status:cover", Type: "status"}))
		w.is(w.settled(id), core.StatusOK, "")
	})
}

// pipelines is a forge that has one check for each push.
type pipelines struct{ *coretest.Forge }

func (pipelines) SingleCheck() string { return "pipeline" }

// On a forge that has one check for each push, reports alone can decide about all checks.
func TestSingleCheck(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.options.Forges[w.repo.Forge] = pipelines{w.forge}
		w.start()
		id := w.gated(commit1, "checks")
		w.is(w.settled(id), core.StatusHeld, "Waits for a run of the pipeline")
		build := core.Build{ID: "31", Number: "3", Key: "pipeline"}
		w.deliver(w.event(commit1, core.BuildWaiting, build))
		w.is(w.settled(id), core.StatusHeld, "Waits for the pipeline, run 3, which waits for a person to act on it, until ")
		w.deliver(w.event(commit1, core.BuildPassed, build))
		w.is(w.settled(id), core.StatusOK, "")
	})
}

// A forge that does not answer keeps the push waiting, and a token that may not read
// checks leaves the reports.
func TestChecksThatCanNotBeRead(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.paired()
		w.forge.Fail("Checks", core.Transient(errors.New("502"), 0), core.ErrForbidden, core.ErrForbidden)
		w.start()
		id := w.gated(commit1, ci)
		w.is(w.settled(id), core.StatusHeld, "an answer of github.com about the checks")
		e := w.after(time.Minute+time.Second, id)
		w.is(e, core.StatusHeld, "a run of ci.yml")
		if len(e.Notes) != 1 || !strings.Contains(e.Notes[0], "may not read the checks") {
			t.Errorf("got notes %q", e.Notes)
		}
		w.is(w.settled(w.gated(commit2, "checks")), core.StatusSkipped, "may not read the checks")
	})
}

func TestSkipDeploy(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start()
		for _, text := range []string{"docs [skip deploy]", "[Skip CD]\n\nlater"} {
			push := w.push(commit1)
			push.Commit.Message = text
			w.is(w.settled(w.deliver(push)), core.StatusSkipped, "asks for no deployment")
		}
		queue := w.push(commit1)
		queue.Branch, queue.Ref = "gh-readonly-queue/main/pr-1-abc", "refs/heads/gh-readonly-queue/main/pr-1-abc"
		r := w.request(queue)
		r.Target.Branch = queue.Branch
		w.is(w.settled(w.accept(r).Change.Entry.ID), core.StatusIgnored, "merge queue")
	})
}
