package gitea

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
)

const sender = "Gitea, Forgejo or Gogs"

// other returns what any event says.
func (p *payload) other(name string) core.Event {
	return core.Event{Provider: core.ProviderGitea, Kind: core.EventOther, Name: name, Repository: p.repository}
}

// push returns the event of a push.
func (p *payload) push() (core.Event, error) {
	head := field.Commit(p.after)
	if gitpush.Tag(p.ref) != "" && p.head.ID != "" {
		head = p.head.ID // after may be the id of a tag object
	}
	list := p.commits
	switch head {
	case p.head.ID:
		list.Head, list.HeadSkipsCI = p.head, p.headSkipsCI
	case list.Head.ID:
	default:
		list.Head, list.HeadSkipsCI = core.Commit{ID: head}, false
	}
	return p.change(gitpush.Push{
		Name: "push", Ref: p.ref, Before: p.before, After: p.after,
		Commit: list.Head, Commits: list.Commits, SkipsCI: list.HeadSkipsCI,
	})
}

// deletion returns the event of a deleted branch or tag.
func (p *payload) deletion() (core.Event, error) {
	ref := p.ref
	switch {
	case strings.HasPrefix(ref, "refs/"):
	case p.refType == "tag":
		ref = "refs/tags/" + ref
	default:
		ref = "refs/heads/" + ref
	}
	return p.change(gitpush.Push{Name: "delete", Ref: ref, Deleted: true})
}

func (p *payload) change(push gitpush.Push) (core.Event, error) {
	push.Repository = p.repository
	e, err := push.Event(sender)
	e.Provider = core.ProviderGitea
	return e, err
}

// forgejoRunEvent returns the event of a run in Forgejo's own form.
func (p *payload) forgejoRunEvent(name string) (core.Event, error) {
	p.run = p.forgejoRun
	if p.repository.Name == "" {
		p.repository = p.forgejoRepository
	}
	return p.workflowRun(name)
}

// workflowRun returns the event of a run of a workflow.
func (p *payload) workflowRun(name string) (core.Event, error) {
	run := p.run
	file, _, _ := strings.Cut(run.path, "@")
	file = file[strings.LastIndexByte(file, '/')+1:]
	attempt, _ := strconv.Atoi(run.attempt) // 0 if it is not counted
	e, err := p.build(name, run.headSHA, core.Build{
		Gate: core.GateChecks, Key: key(workflows, file), Name: "The workflow " + field.Prose(file, field.MaxLabel), Attempt: max(attempt, 0),
		ID: field.Word(run.id), Number: field.Word(run.number), State: run.state(),
		Type: cmp.Or(field.Word(run.event), "unknown"), PullRequest: run.fork || strings.HasPrefix(run.event, "pull_request"),
		Message: field.Prose(cmp.Or(run.conclusion, run.status), field.MaxLabel), URL: field.Link(run.url),
	})
	if err != nil {
		return core.Event{}, err
	}
	if _, ref, _ := strings.Cut(run.path, "@"); field.ValidRef(ref) && gitpush.Tag(ref) != "" {
		e.Tag = gitpush.Tag(ref)
	} else if field.ValidRef(run.headBranch) {
		e.Branch = run.headBranch
	}
	return e, nil
}

// state returns the state of the run. A status or a conclusion that is not known
// yet has not succeeded.
func (r run) state() core.BuildState {
	if r.status != "completed" {
		return core.BuildStarted
	}
	switch r.conclusion {
	case "success":
		return core.BuildPassed
	case "failure":
		return core.BuildFailed
	case "skipped", "neutral":
		return core.BuildNeutral
	case "cancelled":
		return core.BuildCanceled
	default:
		return core.BuildErrored
	}
}

// status returns the event of the status of a commit.
func (p *payload) status() (core.Event, error) {
	state := core.BuildStarted
	switch p.state {
	case "success":
		state = core.BuildPassed
	case "failure", "warning":
		state = core.BuildFailed
	case "error":
		state = core.BuildErrored
	case "skipped":
		state = core.BuildNeutral
	}
	return p.build("status", p.sha, core.Build{
		Gate: core.GateChecks, Key: key("status:", p.context), Name: "The status " + field.Prose(p.context, field.MaxLabel),
		ID: field.Word(p.id), State: state, Type: "status",
		Message: field.Prose(cmp.Or(p.description, p.context), field.MaxLabel), URL: field.Link(p.targetURL),
	})
}

// workflows is the folder that the keys of workflows begin with, whichever of the
// folders for them a workflow is in: the events do not say.
const workflows = ".gitea/workflows/"

// key returns the key of a report, "" if there is no name or one that is too long.
func key(prefix, name string) string {
	if name == "" || field.Prose(name, field.MaxLabel) != name {
		return ""
	}
	return prefix + name
}

func (p *payload) build(name, sha string, b core.Build) (core.Event, error) {
	e := p.other(name)
	e.Kind, e.Commit.ID, e.Build = core.EventBuild, field.Commit(sha), b
	switch {
	case e.Repository.Name == "":
		return core.Event{}, field.Refuse("The event " + name + " has no valid repository; send what " + sender + " sends")
	case e.Commit.ID == "":
		return core.Event{}, field.Refuse("The event " + name + " has no valid commit; send what " + sender + " sends")
	}
	e.Commits = []string{e.Commit.ID}
	return e, nil
}
