package e2e

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/client"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

const ciYML = ".github/workflows/ci.yml"

// pair pairs the user's account with GitHub.
func (s *server) pair(h hub) {
	s.t.Helper()
	h.AddUser(user, "ghp_of_the_test", []string{"repo"})
	if got := s.send(request{path: "/1/auth/github", body: `{"credentials":"` + user + `:ghp_of_the_test"}`}); got.status != http.StatusOK {
		s.t.Fatalf("got %d %s", got.status, got.body)
	}
}

// gate creates a webhook for s that sends events and asks for a gate by its query.
func (r *repository) gate(t *testing.T, s *server, query string, events ...string) {
	t.Helper()
	to := s.deployURL() + "?" + query
	if ping, err := r.h.Hook(t.Context(), user, r.name, to, sim.HookOptions{ContentType: "json", Events: events}); err != nil || ping.Status != http.StatusOK {
		t.Fatalf("the ping: %d %s, %v", ping.Status, ping.Body, err)
	}
}

// push makes GitHub deliver the push, without waiting for its outcome, and returns the
// id of its entry.
func (r *repository) push(t *testing.T) string {
	t.Helper()
	change := answered(r.pushed()).json(t)
	id, _ := change["id"].(string)
	if id == "" {
		t.Fatalf("got %v", change)
	}
	return id
}

func (r *repository) run(t *testing.T, run sim.Run) sim.Run {
	t.Helper()
	run, sent, err := r.h.SetRun(t.Context(), user, r.name, run)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range sent {
		if d.Status != http.StatusOK && d.Status != http.StatusAccepted {
			t.Errorf("%s was answered with %d %s", d.Event, d.Status, d.Body)
		}
	}
	return run
}

func reason(change map[string]any) string {
	text, _ := change["reason"].(string)
	return text
}

// What GitHub Actions does that a gate must know (docs.github.com, "Events that trigger
// workflows", "Troubleshooting required status checks", "Skipping workflow runs"): what
// is known of the runs when a push comes decides about it. No event reports them: they
// are found by looking.
func TestChecksThatAreFound(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--gate-interval", "100ms", "--hold-timeout", "2s", "--wait", "0s")...)
	s.pair(h)
	const lint, cron, e2e = ".github/workflows/lint.yml", ".github/workflows/cron.yml", ".github/workflows/e2e.yml"
	for name, test := range map[string]struct {
		query   string
		branch  string // that is pushed; default main
		message string // of the commit; default "first"
		runs    []sim.Run
		context string // of a commit status that is a success
		status  string
		reason  string
	}{
		"green":           {query: "gate=checks", runs: []sim.Run{{Conclusion: "success"}}, status: "ok"},
		"red":             {query: "gate=checks", runs: []sim.Run{{Conclusion: "failure"}}, status: "skipped", reason: "Ci.yml, run "},
		"startup-failure": {query: "gate=checks", runs: []sim.Run{{Conclusion: "startup_failure"}}, status: "skipped", reason: "startup failure"},
		"action-required": {query: "gate=checks", runs: []sim.Run{{Conclusion: "action_required"}}, status: "skipped", reason: "action required"},
		"unknown-ending":  {query: "gate=checks", runs: []sim.Run{{Conclusion: "of_next_year"}}, status: "skipped", reason: "of next year"},

		// A run that did not finish for 14 days is stale.
		"stale": {query: "gate=checks", runs: []sim.Run{{Conclusion: "stale"}}, status: "skipped", reason: "did not pass: stale (https://github.com/"},

		// A re-run keeps its id, and only its last attempt counts.
		"rerun-green": {query: "gate=checks", runs: []sim.Run{{ID: 71, Conclusion: "failure"}, {ID: 71, Attempt: 2, Conclusion: "success"}}, status: "ok"},
		"rerun-red":   {query: "gate=checks", runs: []sim.Run{{ID: 72, Conclusion: "success"}, {ID: 72, Attempt: 2, Conclusion: "failure"}}, status: "skipped", reason: "did not pass: failure"},
		"rerun-again": {query: "gate=checks", runs: []sim.Run{{ID: 73, Conclusion: "failure"}, {ID: 73, Attempt: 2, Conclusion: "cancelled"}, {ID: 73, Attempt: 3, Conclusion: "success"}}, status: "ok"},
		"run-again":   {query: "gate=checks", runs: []sim.Run{{Conclusion: "failure"}, {Conclusion: "success"}}, status: "ok"},

		// Neutral and skipped pass, if something else is a success. A job skipped by if: is
		// a success; if all of a run are, the run is skipped. A job whose needs failed is
		// skipped, and its run is a failure.
		"neutral-too":  {query: "gate=checks", runs: []sim.Run{{Conclusion: "success"}, {Path: lint, Conclusion: "neutral"}, {Path: e2e, Conclusion: "skipped"}}, status: "ok"},
		"if-one-job":   {query: "gate=" + ciYML, runs: []sim.Run{{Conclusion: "success", Title: "one of two jobs skipped by if"}}, status: "ok"},
		"if-all-jobs":  {query: "gate=" + ciYML, runs: []sim.Run{{Conclusion: "skipped"}}, status: "skipped", reason: "There is no run that is not skipped"},
		"needs-failed": {query: "gate=" + ciYML + "," + lint, runs: []sim.Run{{Conclusion: "failure"}, {Path: lint, Conclusion: "skipped"}}, status: "skipped", reason: "Ci.yml, run "},

		// A path filter, a skip text, a push with a workflow's own token or a busy GitHub:
		// there is no run at all.
		"path-filter":   {query: "gate=checks", status: "skipped", reason: "There is no run of a workflow for this commit: a path filter"},
		"empty-deploys": {query: "gate=checks&gate_empty=deploy", status: "ok"},
		// A workflow that was disabled, or is filtered away, never runs for this commit.
		"disabled":     {query: "gate=" + ciYML, status: "skipped", reason: "There is no run of ci.yml"},
		"one-filtered": {query: "gate=" + ciYML + "," + lint, runs: []sim.Run{{Conclusion: "success"}}, status: "skipped", reason: "There is no run of lint.yml"},
		"one-empty":    {query: "gate=" + ciYML + "," + lint + "&gate_empty=deploy", runs: []sim.Run{{Conclusion: "success"}}, status: "ok"},
		"one-red":      {query: "gate=" + ciYML + "," + lint + "&gate_empty=deploy", runs: []sim.Run{{Conclusion: "failure"}}, status: "skipped", reason: "Ci.yml, run "},

		"other-workflow": {query: "gate=" + ciYML, runs: []sim.Run{{Path: lint, Conclusion: "success"}}, status: "skipped", reason: "There is no run of ci.yml"},
		"skip-ci":        {query: "gate=checks", message: "docs [skip ci]", status: "skipped", reason: "There is no run of a workflow"},
		"skip-checks":    {query: "gate=checks", message: "docs\n\nskip-checks: true", status: "skipped", reason: "There is no run of a workflow"},

		// Another run of the concurrency group cancels the run: it is not green, and not red.
		"cancelled":  {query: "gate=checks", runs: []sim.Run{{Conclusion: "cancelled"}}, status: "skipped", reason: "it was cancelled"},
		"dispatched": {query: "gate=" + ciYML, runs: []sim.Run{{Conclusion: "cancelled"}, {Event: "workflow_dispatch", Conclusion: "success"}}, status: "ok"},
		"schedule":   {query: "gate=checks", runs: []sim.Run{{Conclusion: "success"}, {Event: "schedule", Path: cron, Conclusion: "failure"}}, status: "ok"},

		// A workflow is its path: its name may change, and a run may have a title.
		"renamed":    {query: "gate=" + ciYML, runs: []sim.Run{{Name: "Tests", Title: "Release 7", Conclusion: "success"}}, status: "ok"},
		"one-name":   {query: "gate=" + ciYML, runs: []sim.Run{{Name: "CI", Conclusion: "success"}, {Name: "CI", Path: lint, Conclusion: "failure"}}, status: "ok"},
		"both-count": {query: "gate=checks", runs: []sim.Run{{Name: "CI", Conclusion: "success"}, {Name: "CI", Path: lint, Conclusion: "failure"}}, status: "skipped", reason: "Lint.yml, run "},
		"moved-file": {query: "gate=" + ciYML, runs: []sim.Run{{Name: "CI", Path: ".github/workflows/tests.yml", Conclusion: "success"}}, status: "skipped", reason: "There is no run of ci.yml"},

		// A workflow and a status of one name are two checks.
		"same-name":      {query: "gate=" + ciYML + ",status:CI", runs: []sim.Run{{Conclusion: "success"}}, status: "skipped", reason: "There is no run of the status CI"},
		"same-name-both": {query: "gate=" + ciYML + ",status:CI", runs: []sim.Run{{Conclusion: "success"}}, context: "CI", status: "ok"},

		// A commit that was merged by a fast-forward has the runs of its branch, too.
		"fast-forward": {query: "gate=checks", runs: []sim.Run{{Conclusion: "success"}, {Branch: "feature", Conclusion: "failure"}}, status: "ok"},
		"only-feature": {query: "gate=checks", runs: []sim.Run{{Branch: "feature", Conclusion: "success"}}, status: "skipped", reason: "There is no run"},

		// Any branch can have a gate, not only the default one.
		"any-branch": {query: "gate=checks&branch=dev", branch: "dev", runs: []sim.Run{{Branch: "dev", Conclusion: "success"}}, status: "ok"},

		// The head of a pull request from a fork is in another repository.
		"fork": {query: "gate=checks", runs: []sim.Run{{Conclusion: "success"}, {Path: lint, Event: "pull_request", Fork: true, Conclusion: "failure"}}, status: "ok"},

		"fork-push": {query: "gate=" + ciYML, runs: []sim.Run{{Fork: true, Conclusion: "success"}}, status: "skipped", reason: "There is no run of ci.yml"},
		"fork-red":  {query: "gate=" + ciYML, runs: []sim.Run{{Conclusion: "success"}, {Fork: true, Conclusion: "failure"}}, status: "ok"},

		// A merge queue pushes branches of its own, and its result is that of the commit that
		// the branch gets.
		"merged-by-queue": {query: "gate=checks", runs: []sim.Run{{Event: "merge_group", Branch: "gh-readonly-queue/main/pr-1-abc", Conclusion: "success"}}, status: "ok"},
		"queue-branch":    {query: "gate=checks&branch=gh-readonly-queue/main/pr-1-abc", branch: "gh-readonly-queue/main/pr-1-abc", status: "ignored", reason: "merge queue"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := h.repository(name)
			repo.gate(t, s, test.query)
			if test.branch != "" {
				repo.git("checkout", "--quiet", "-b", test.branch)
			}
			commit := repo.commit(cmp.Or(test.message, "first"), map[string]string{"package.json": packageJSON(name), "index.js": node(name)})
			for _, run := range test.runs {
				run.SHA = commit
				repo.run(t, run)
			}
			if test.context != "" {
				if _, err := h.SetStatus(t.Context(), user, name, commit, test.context, "success"); err != nil {
					t.Fatal(err)
				}
			}
			change := s.outcome(repo.push(t), "ok", "skipped", "error", "ignored")
			if change["status"] != test.status || !strings.Contains(reason(change), test.reason) {
				t.Errorf("got %v (%v), want %s (%s)", change["status"], change["reason"], test.status, test.reason)
			}
			if app := s.app(name + ".localhost"); (app.status == http.StatusOK) != (test.status == "ok") {
				t.Errorf("the app answers %d %s", app.status, app.body)
			}
		})
	}
}

// A rate limit of GitHub keeps a push waiting, whichever of its forms it has.
func TestChecksWhileRateLimited(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--gate-interval", "100ms", "--wait", "0s")...)
	s.pair(h)
	for name, header := range map[string]http.Header{
		"primary": {"X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"1"}}, "secondary": {"Retry-After": {"1"}},
	} {
		for _, status := range []int{http.StatusForbidden, http.StatusTooManyRequests} {
			app := name + strconv.Itoa(status)
			t.Run(app, func(t *testing.T) {
				t.Parallel()
				repo := h.repository(app)
				repo.gate(t, s, "gate="+ciYML)
				commit := repo.commit("first", map[string]string{"package.json": packageJSON(app), "index.js": node(app)})
				repo.run(t, sim.Run{SHA: commit, Conclusion: "success"})
				h.Fail(sim.Matching(http.MethodGet, "/"+app+"/actions/runs"), 1, status, header)
				id := repo.push(t)
				s.was(id, "the hold", func(change client.Change) bool {
					return change.Status == core.StatusHeld && strings.Contains(change.Reason, "an answer of github.com about the checks")
				})
				s.outcome(id, "ok")
			})
		}
	}
}

// GitHub makes one check suite for each run, not one for a commit: that one of them is
// green says nothing of the other. Other apps' suites that check nothing stay queued.
func TestOneSuiteForEachRun(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--gate-interval", "1s", "--wait", "0s")...)
	s.pair(h)
	repo := h.repository("suites")
	repo.gate(t, s, "gate=checks", "push", "check_suite")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("suites"), "index.js": node("first")})
	slow := repo.run(t, sim.Run{SHA: commit, Path: ".github/workflows/e2e.yml"})
	fast := repo.run(t, sim.Run{SHA: commit})
	id := repo.push(t)
	held := func(text string) {
		t.Helper()
		s.until(id, text, func(change map[string]any) bool {
			return change["status"] == "held" && strings.HasPrefix(reason(change), text)
		})
	}
	held("Waits for ci.yml, run 4712, in progress; e2e.yml, run 4711, in progress")
	if _, err := h.SendEmptySuite(t.Context(), user, "suites", commit); err != nil {
		t.Fatal(err)
	}
	fast.Status, fast.Conclusion = "completed", "success"
	repo.run(t, fast)
	held("Waits for e2e.yml, run 4711, in progress")
	slow.Status, slow.Conclusion = "completed", "success"
	repo.run(t, slow)
	s.outcome(id, "ok")
}

// A day of a repository with two workflows: what the events say wakes the decision, and
// GitHub's answer decides.
func TestADayOfARepositoryWithActions(t *testing.T) {
	t.Parallel()
	h := github(t)
	// It is woken by events alone.
	s := serve(t, h.flags("--gate-interval", "1h", "--wait", "0s", "--listen", redistest.FreeAddr(t))...)
	s.pair(h)
	repo := h.repository("day")
	repo.gate(t, s, "gate=.github/workflows/ci.yml,.github/workflows/e2e.yml,status:cover", "*")
	waits := func(id, text string) {
		t.Helper()
		s.until(id, text, func(change map[string]any) bool {
			return change["status"] == "held" && strings.Contains(reason(change), text)
		})
	}
	serves := func(text string) {
		t.Helper()
		eventually(t, "the app answers "+text, func() bool { return s.app("day.localhost").body == text }, s.stderr)
	}
	first := repo.commit("first", map[string]string{"package.json": packageJSON("day"), "index.js": node("first")})
	id := repo.push(t)
	waits(id, "Waits for a run of ci.yml, e2e.yml, the status cover, until ")

	// Another app's suite checks nothing and stays queued.
	if _, err := h.SendEmptySuite(t.Context(), user, "day", first); err != nil {
		t.Fatal(err)
	}
	ci := repo.run(t, sim.Run{SHA: first, Status: "queued"})
	waits(id, "Waits for ci.yml, run 4711, queued")
	ci.Status = "in_progress"
	repo.run(t, ci)
	waits(id, "Waits for ci.yml, run 4711, in progress")
	ci.Status, ci.Conclusion = "completed", "success"
	repo.run(t, ci)
	waits(id, "Waits for a run of e2e.yml, the status cover")

	// A schedule of the same concurrency group cancels the run, which decides nothing.
	e2e := repo.run(t, sim.Run{SHA: first, Path: ".github/workflows/e2e.yml", Conclusion: "cancelled"})
	waits(id, "e2e.yml, run 4712, to be run again: it was cancelled")
	e2e.Attempt, e2e.Status, e2e.Conclusion = 2, "completed", "failure"
	repo.run(t, e2e)
	change := s.outcome(id, "skipped")
	if !strings.HasPrefix(reason(change), "E2e.yml, run 4712, did not pass: failure (https://github.com/dscape/day/actions/runs/4712)") {
		t.Errorf("got %v", change["reason"])
	}
	// The re-run has the same id and no event "requested".
	e2e.Attempt, e2e.Status, e2e.Conclusion = 3, "in_progress", ""
	repo.run(t, e2e)
	e2e.Status, e2e.Conclusion = "completed", "success"
	repo.run(t, e2e)
	waits(id, "Waits for a run of the status cover")
	for _, state := range []string{"pending", "success"} {
		if _, err := h.SetStatus(t.Context(), user, "day", first, "cover", state); err != nil {
			t.Fatal(err)
		}
	}
	s.outcome(id, "ok")
	serves("first")

	// A commit that asks for no run, and one that asks for no deployment.
	repo.commit("docs\n\n[no ci]", map[string]string{"README.md": "docs"})
	if change := s.outcome(repo.push(t), "skipped"); !strings.Contains(reason(change), "There is no run of") {
		t.Errorf("got %v", change["reason"])
	}
	repo.commit("docs [skip deploy]", map[string]string{"README.md": "more"})
	if change := s.outcome(repo.push(t), "skipped"); !strings.Contains(reason(change), "asks for no deployment") {
		t.Errorf("got %v", change["reason"])
	}

	// A newer push supersedes one that waits, and its run cancels that of the older push in
	// the same concurrency group. What the checks of the older one come to changes nothing
	// then.
	second := repo.commit("second", map[string]string{"index.js": node("second")})
	ci = repo.run(t, sim.Run{SHA: second})
	id = repo.push(t)
	waits(id, "Waits for ci.yml, run 4713, in progress")
	third := repo.commit("third", map[string]string{"index.js": node("third")})
	newest := repo.push(t)
	if change := s.outcome(id, "skipped"); !strings.Contains(reason(change), "Superseded") {
		t.Errorf("got %v", change["reason"])
	}
	ci.Status, ci.Conclusion = "completed", "cancelled"
	repo.run(t, ci)
	waits(newest, "Waits for a run of ci.yml, e2e.yml, the status cover, until ")
	for _, commit := range []string{second, third} {
		repo.run(t, sim.Run{SHA: commit, Conclusion: "success"})
		repo.run(t, sim.Run{SHA: commit, Path: ".github/workflows/e2e.yml", Conclusion: "success"})
		if _, err := h.SetStatus(t.Context(), user, "day", commit, "cover", "success"); err != nil {
			t.Fatal(err)
		}
	}
	s.outcome(newest, "ok")
	serves("third")
	if got := s.outcome(id, "skipped", "ok"); got["status"] != "skipped" {
		t.Errorf("the superseded push: %v", got)
	}

	// The merge queue builds a branch of its own, which deploys nothing; then main gets
	// that commit, with the results that it has already and without runs of its own.
	const queue = "gh-readonly-queue/main/pr-7-0123"
	repo.git("checkout", "--quiet", "-b", queue)
	merged := repo.commit("Merge pull request #7", map[string]string{"index.js": node("fourth")})
	if change := s.outcome(repo.push(t), "ignored"); !strings.Contains(reason(change), "merge queue") {
		t.Errorf("got %v", change["reason"])
	}
	for _, path := range []string{ciYML, ".github/workflows/e2e.yml"} {
		repo.run(t, sim.Run{SHA: merged, Path: path, Event: "merge_group", Branch: queue, Conclusion: "success"})
	}
	if _, err := h.SetStatus(t.Context(), user, "day", merged, "cover", "success"); err != nil {
		t.Fatal(err)
	}
	serves("third")
	repo.git("push", "--quiet", repo.remote, "HEAD:main")
	s.outcome(repo.push(t), "ok")
	serves("fourth")

	// The server is started anew, and no longer waits for hours for a run that may come. A
	// path filter keeps one of the workflows from running, so the push is skipped. Started
	// by hand the workflow runs for the commit after all.
	s.flags = append(s.flags, "--gate-interval", "100ms")
	s.stop()
	s.start()
	serves("fourth")
	repo.git("checkout", "--quiet", "-B", "main")
	filtered := repo.commit("fifth", map[string]string{"index.js": node("fifth")})
	repo.run(t, sim.Run{SHA: filtered, Conclusion: "success"})
	if _, err := h.SetStatus(t.Context(), user, "day", filtered, "cover", "success"); err != nil {
		t.Fatal(err)
	}
	id = repo.push(t)
	if change := s.outcome(id, "skipped"); !strings.HasPrefix(reason(change), "There is no run of e2e.yml for this commit: a path filter") {
		t.Errorf("got %v", change["reason"])
	}
	serves("fourth")
	repo.run(t, sim.Run{SHA: filtered, Path: ".github/workflows/e2e.yml", Event: "workflow_dispatch", Conclusion: "success"})
	s.outcome(id, "ok")
	serves("fifth")
}

// Without an access token the signed events decide, for what is named.
func TestChecksWithoutAccessToken(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--gate-interval", "1h", "--wait", "0s")...)
	secret := core.NewSecret(strings.TrimSpace(s.run("", "secrets", "add", user, "hook", "--data", s.data)))
	repo := h.repository("signed")
	to := s.api + "/1/deploy?user=" + user + "&gate=" + ciYML
	if _, err := h.Hook(t.Context(), user, "signed", to, sim.HookOptions{Events: []string{"*"}, Secret: secret}); err != nil {
		t.Fatal(err)
	}
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("signed"), "index.js": node("signed")})
	id := repo.push(t)
	s.until(id, "the hold", func(change map[string]any) bool { return strings.Contains(reason(change), "a run of ci.yml") })
	// A fork can have the same commit, and its own runs of it.
	repo.run(t, sim.Run{SHA: commit, Fork: true, Conclusion: "success"})
	ci := repo.run(t, sim.Run{SHA: commit})
	s.until(id, "the run", func(change map[string]any) bool {
		return strings.Contains(reason(change), "ci.yml, run 4712, in progress")
	})
	ci.Status, ci.Conclusion = "completed", "success"
	repo.run(t, ci)
	s.outcome(id, "ok")
	if app := s.app("signed.localhost"); app.body != "signed" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
	for _, request := range h.Requests() {
		if strings.Contains(request.Path, "/actions/") {
			t.Errorf("GitHub was asked for %s", request.Path)
		}
	}
}
