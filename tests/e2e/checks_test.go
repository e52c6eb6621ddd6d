package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
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

// What is known of GitHub's runs when a push comes decides about it. No event reports
// them: they are found by looking.
func TestChecksThatAreFound(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--gate-interval", "100ms", "--hold-timeout", "2s", "--wait", "0s")...)
	s.pair(h)
	for name, test := range map[string]struct {
		query  string
		branch string // that is pushed; default main
		runs   []sim.Run
		status string
		reason string
	}{
		"green":           {"gate=checks", "", []sim.Run{{Conclusion: "success"}}, "ok", ""},
		"all-kinds":       {"gate=checks", "", []sim.Run{{Conclusion: "success"}, {Path: ".github/workflows/a.yml", Conclusion: "neutral"}, {Path: ".github/workflows/b.yml", Conclusion: "skipped"}}, "ok", ""},
		"path-filter":     {"gate=checks", "", nil, "skipped", "There is no run of a workflow for this commit: a path filter"},
		"empty-deploys":   {"gate=checks&gate_empty=deploy", "", nil, "ok", ""},
		"other-workflow":  {"gate=" + ciYML, "", []sim.Run{{Path: ".github/workflows/lint.yml", Conclusion: "success"}}, "skipped", "There is no run of ci.yml"},
		"red":             {"gate=checks", "", []sim.Run{{Conclusion: "failure"}}, "skipped", "Ci.yml, run "},
		"stale":           {"gate=checks", "", []sim.Run{{Conclusion: "stale"}}, "skipped", "did not pass: stale (https://github.com/"},
		"startup-failure": {"gate=checks", "", []sim.Run{{Conclusion: "startup_failure"}}, "skipped", "startup failure"},
		"action-required": {"gate=checks", "", []sim.Run{{Conclusion: "action_required"}}, "skipped", "action required"},
		"cancelled":       {"gate=checks", "", []sim.Run{{Conclusion: "cancelled"}}, "skipped", "it was cancelled"},
		"rerun-green":     {"gate=checks", "", []sim.Run{{Conclusion: "failure"}, {Conclusion: "success"}}, "ok", ""},
		"fast-forward":    {"gate=checks", "", []sim.Run{{Conclusion: "success"}, {Branch: "feature", Conclusion: "failure"}}, "ok", ""},
		"only-feature":    {"gate=checks", "", []sim.Run{{Branch: "feature", Conclusion: "success"}}, "skipped", "There is no run"},
		"schedule":        {"gate=checks", "", []sim.Run{{Conclusion: "success"}, {Event: "schedule", Path: ".github/workflows/cron.yml", Conclusion: "failure"}}, "ok", ""},
		"dispatched":      {"gate=" + ciYML, "", []sim.Run{{Conclusion: "cancelled"}, {Event: "workflow_dispatch", Conclusion: "success"}}, "ok", ""},
		"fork":            {"gate=checks", "", []sim.Run{{Conclusion: "success"}, {Path: ".github/workflows/pr.yml", Event: "pull_request", Fork: true, Conclusion: "failure"}}, "ok", ""},
		"merged-by-queue": {"gate=checks", "", []sim.Run{{Event: "merge_group", Branch: "gh-readonly-queue/main/pr-1-abc", Conclusion: "success"}}, "ok", ""},
		"queue-branch":    {"gate=checks&branch=gh-readonly-queue/main/pr-1-abc", "gh-readonly-queue/main/pr-1-abc", nil, "ignored", "merge queue"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := h.repository(name)
			repo.gate(t, s, test.query)
			if test.branch != "" {
				repo.git("checkout", "--quiet", "-b", test.branch)
			}
			commit := repo.commit("first", map[string]string{"package.json": packageJSON(name), "index.js": node(name)})
			for _, run := range test.runs {
				run.SHA = commit
				repo.run(t, run)
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

// A day of a repository with two workflows: what the events say wakes the decision, and
// GitHub's answer decides.
func TestADayOfARepositoryWithActions(t *testing.T) {
	t.Parallel()
	h := github(t)
	// It is woken by events alone.
	s := serve(t, h.flags("--gate-interval", "1h", "--wait", "0s")...)
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
		if app := s.app("day.localhost"); app.body != text {
			t.Errorf("the app answers %d %s, want %s", app.status, app.body, text)
		}
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

	// A newer push supersedes one that waits, and its own checks change nothing then.
	second := repo.commit("second", map[string]string{"index.js": node("second")})
	id = repo.push(t)
	waits(id, "a run of ci.yml")
	third := repo.commit("third", map[string]string{"index.js": node("third")})
	newest := repo.push(t)
	if change := s.outcome(id, "skipped"); !strings.Contains(reason(change), "Superseded") {
		t.Errorf("got %v", change["reason"])
	}
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
	ci := repo.run(t, sim.Run{SHA: commit})
	s.until(id, "the run", func(change map[string]any) bool {
		return strings.Contains(reason(change), "ci.yml, run 4711, in progress")
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
