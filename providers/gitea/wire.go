package gitea

import (
	"cmp"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// payload is what is read of any payload. A field that is absent, null or of
// another type than documented is zero.
type payload struct {
	repository core.Repository

	ref, refType  string // refType of create and delete: "branch" or "tag"
	before, after string
	compareURL    string // of a push
	commits       gitpush.List
	head          core.Commit
	headSkipsCI   bool

	run run

	// Of Forgejo's own events of runs, which have the repository within the run.
	forgejoRun        run
	forgejoRepository core.Repository

	// Of a status.
	id, sha, context, state string
	description, targetURL  string
}

// run is a run of a workflow.
type run struct {
	id, number, attempt string
	path                string // such as "ci.yml@refs/heads/main"
	event               string
	headSHA, headBranch string
	status, conclusion  string
	url                 string
	fork                bool // it is for a pull request of a fork; Forgejo's runs say so
}

// isPush reports whether the payload has the shape of a push.
func (p *payload) isPush() bool {
	return p.ref != "" && p.after != "" && p.compareURL != "" && p.repository.Name != ""
}

// isTest reports whether a push is the test of a webhook, which the servers make of the
// newest commit (gitea, routers/api/v1/repo/hook.go).
func (p *payload) isTest() bool { return p.before == p.after && field.Commit(p.after) != "" }

// read reads a payload.
func read(text []byte) (payload, error) {
	var p payload
	s := jsonscan.New(text)
	for key := range s.Object(
		"repository", "ref", "ref_type", "before", "after", "compare_url", "commits", "head_commit", "workflow_run", "run",
		"id", "sha", "context", "state", "description", "target_url",
	) {
		switch key {
		case "repository":
			p.repository = readRepository(s)
		case "commits":
			p.commits = gitpush.ReadList(s, p.after) // after comes before the list
		case "head_commit":
			p.head, p.headSkipsCI = gitpush.ReadCommit(s)
		case "workflow_run":
			p.run = readRun(s)
		case "run":
			p.forgejoRun, p.forgejoRepository = readForgejoRun(s)
		case "id":
			p.id = s.Word()
		default:
			*p.text(key) = s.Text()
		}
	}
	if err := s.End(); err != nil {
		return payload{}, field.Unreadable(err)
	}
	return p, nil
}

// text returns the field of a key whose value is a text.
func (p *payload) text(key string) *string {
	switch key {
	case "ref":
		return &p.ref
	case "ref_type":
		return &p.refType
	case "before":
		return &p.before
	case "after":
		return &p.after
	case "compare_url":
		return &p.compareURL
	case "sha":
		return &p.sha
	case "context":
		return &p.context
	case "state":
		return &p.state
	case "description":
		return &p.description
	default:
		return &p.targetURL
	}
}

func readRepository(s *jsonscan.Scanner) core.Repository {
	var r core.Repository
	var login, username, fullName string
	for key := range s.Object("owner", "name", "full_name", "html_url", "private", "default_branch") {
		switch key {
		case "owner":
			for key := range s.Object("login", "username") {
				if key == "login" {
					login = s.Text()
				} else {
					username = s.Text()
				}
			}
		case "name":
			r.Name = s.Text()
		case "full_name":
			fullName = s.Text()
		case "html_url":
			r.URL = s.Text()
		case "private":
			r.Private = s.Bool()
		case "default_branch":
			r.DefaultBranch = s.Text()
		}
	}
	owner, _, _ := strings.Cut(fullName, "/")
	r.Owner = cmp.Or(login, username, owner) // Gogs had no login once
	return field.Repository(r)
}

func readRun(s *jsonscan.Scanner) (r run) {
	for key := range s.Object("id", "run_number", "run_attempt", "path", "event", "head_sha", "head_branch", "status", "conclusion", "html_url") {
		switch key {
		case "id":
			r.id = s.Word()
		case "run_number":
			r.number = s.Word()
		case "run_attempt":
			r.attempt = s.Word()
		case "path":
			r.path = s.Text()
		case "event":
			r.event = s.Text()
		case "head_sha":
			r.headSHA = s.Text()
		case "head_branch":
			r.headBranch = s.Text()
		case "status":
			r.status = s.Text()
		case "conclusion":
			r.conclusion = s.Text()
		case "html_url":
			r.url = s.Text()
		}
	}
	return r
}

// readForgejoRun reads a run as Forgejo describes it in events of its own (forgejo,
// modules/structs/action.go). Its status is its result once it has ended.
func readForgejoRun(s *jsonscan.Scanner) (r run, repository core.Repository) {
	for key := range s.Object("id", "index_in_repo", "workflow_id", "event", "commit_sha", "prettyref", "status", "html_url", "is_fork_pull_request", "repository") {
		switch key {
		case "id":
			r.id = s.Word()
		case "index_in_repo":
			r.number = s.Word()
		case "workflow_id":
			r.path = s.Text()
		case "event":
			r.event = s.Text()
		case "commit_sha":
			r.headSHA = s.Text()
		case "prettyref":
			r.headBranch = s.Text()
		case "status":
			r.status = s.Text()
		case "html_url":
			r.url = s.Text()
		case "is_fork_pull_request":
			r.fork = s.Bool()
		case "repository":
			repository = readRepository(s)
		}
	}
	switch r.status {
	case "success", "failure", "cancelled", "skipped":
		r.status, r.conclusion = "completed", r.status
	}
	return r, repository
}
