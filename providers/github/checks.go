package github

import (
	"cmp"
	"path"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// checks is what is read of the events workflow_run, check_suite and status.
type checks struct {
	repository     repository
	headRepository string // id; "" if the event does not say

	id, number   string
	attempt      int64
	path         string // of the workflow
	event        string // that started the run
	sha, branch  string
	status       string
	conclusion   string
	url          string
	pullRequests bool

	context, state, targetURL string // of a commit status
}

// parseChecks reads an event that says how far the checks of a commit have come.
// One without a valid repository or commit says nothing.
func parseChecks(text []byte, name string) (core.Event, error) {
	var c checks
	s := jsonscan.New(text)
	for key := range s.Object("repository", "workflow_run", "check_suite", "id", "sha", "context", "state", "target_url") {
		switch key {
		case "repository":
			c.repository = readRepository(s)
		case "workflow_run", "check_suite":
			if key == name {
				c.readRun(s)
			}
		case "id":
			if name == "status" {
				c.id = s.Word()
			}
		case "sha":
			if name == "status" {
				c.sha = s.Text()
			}
		case "context":
			c.context = s.Text()
		case "state":
			c.state = s.Text()
		case "target_url":
			c.targetURL = s.Text()
		}
	}
	if err := s.End(); err != nil {
		return core.Event{}, field.Unreadable(err)
	}
	e := (&payload{repository: c.repository}).other(core.EventOther, name)
	id := field.Commit(c.sha)
	if e.Repository.Name == "" || id == "" {
		return e, nil
	}
	e.Kind, e.Commit.ID, e.Commits = core.EventBuild, id, []string{id}
	if field.ValidRef(c.branch) {
		e.Branch = c.branch
	}
	e.Build = c.build(name)
	return e, nil
}

func (c *checks) readRun(s *jsonscan.Scanner) {
	for key := range s.Object("id", "run_number", "run_attempt", "path", "event", "head_sha", "head_branch",
		"status", "conclusion", "html_url", "head_repository", "pull_requests") {
		switch key {
		case "id":
			c.id = s.Word()
		case "run_number":
			c.number = s.Word()
		case "run_attempt":
			c.attempt, _ = s.Int()
		case "path":
			c.path, _, _ = strings.Cut(s.Text(), "@") // a ref may follow
		case "event":
			c.event = s.Text()
		case "head_sha":
			c.sha = s.Text()
		case "head_branch":
			c.branch = s.Text()
		case "status":
			c.status = s.Text()
		case "conclusion":
			c.conclusion = s.Text()
		case "html_url":
			c.url = s.Text()
		case "head_repository":
			c.headRepository = cmp.Or(readID(s), "none") // null if the fork was deleted
		case "pull_requests":
			for range s.Array() {
				c.pullRequests = true
			}
		}
	}
}

func readID(s *jsonscan.Scanner) (id string) {
	for range s.Object("id") {
		id = s.Word()
	}
	return id
}

// build returns the report that the event is.
func (c *checks) build(name string) core.Build {
	b := core.Build{Gate: core.GateChecks, ID: field.Word(c.id), Type: name}
	switch name {
	case "status":
		b.State, b.Message, b.URL = statusState(c.state), field.Word(c.state), field.Link(c.targetURL)
		if c.context != "" && field.Prose(c.context, field.MaxLabel) == c.context {
			b.Key = "status:" + c.context
		}
		b.Name = "The status " + field.Prose(c.context, field.MaxLabel)
		return b
	case "workflow_run":
		b.Number, b.Attempt = field.Word(c.number), int(max(c.attempt, 0)) //nolint:gosec // attempts are few
		b.Type = cmp.Or(field.Word(c.event), "unknown")
		b.PullRequest = strings.HasPrefix(c.event, "pull_request") || c.headRepository != "" && c.headRepository != c.repository.id
		if field.Prose(c.path, field.MaxLabel) == c.path {
			b.Key = c.path
		}
		b.Name = strings.TrimSpace(path.Base(cmp.Or(b.Key, "A workflow")) + " " + b.Number)
	default:
		b.PullRequest = c.pullRequests && c.branch == ""
		b.Name = "The check suite " + b.ID
	}
	b.State, b.URL = runState(c.status, c.conclusion), field.Link(c.url)
	b.Message = field.Word(cmp.Or(c.conclusion, c.status))
	return b
}

// runState returns the state of a run or a suite by its status and its conclusion: the
// action of the event does not say. A conclusion that is not known has not passed.
func runState(status, conclusion string) core.BuildState {
	if status != "completed" {
		return core.BuildStarted
	}
	switch conclusion {
	case "success":
		return core.BuildPassed
	case "neutral", "skipped":
		return core.BuildNeutral
	case "cancelled":
		return core.BuildCanceled
	}
	return core.BuildFailed
}

// statusState returns the state of a commit status.
func statusState(state string) core.BuildState {
	switch state {
	case "success":
		return core.BuildPassed
	case "pending":
		return core.BuildStarted
	case "error":
		return core.BuildErrored
	}
	return core.BuildFailed
}
