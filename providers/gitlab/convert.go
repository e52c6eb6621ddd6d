package gitlab

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
)

const sender = "GitLab"

// other returns what any event says.
func (p *payload) other() core.Event {
	return core.Event{
		Provider: core.ProviderGitLab, Kind: core.EventOther, Name: p.kind(), Repository: p.repository(),
	}
}

// repository returns the project, the zero Repository if it is invalid.
func (p *payload) repository() core.Repository {
	address := cmp.Or(p.project.webURL, p.homepage)
	path := p.project.path
	if path == "" {
		path = p.pathOf(address)
	}
	slash := strings.LastIndexByte(path, '/')
	if slash < 0 {
		return core.Repository{}
	}
	r := field.GroupedRepository(core.Repository{
		Owner: path[:slash], Name: path[slash+1:], URL: address,
		Private: p.project.private, DefaultBranch: p.project.defaultBranch,
	})
	if r.Forge == "" && r.Name != "" {
		_, r.Forge = field.Address(p.instance)
	}
	return r
}

// pathOf returns the path of the project at a web address, without the path that
// the instance itself may have.
func (p *payload) pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	path := strings.Trim(u.Path, "/")
	if instance, err := url.Parse(p.instance); err == nil {
		if root := strings.Trim(instance.Path, "/"); root != "" {
			path = strings.TrimPrefix(path, root+"/")
		}
	}
	return path
}

// push returns the event of a push.
func (p *payload) push() (core.Event, error) {
	head := field.Commit(p.after)
	if gitpush.Tag(p.ref) != "" && p.checkoutSHA != "" {
		head = field.Commit(p.checkoutSHA) // after may be the id of a tag object
	}
	list := p.commits
	if list.Head.ID != head {
		list.Head, list.HeadSkipsCI = core.Commit{ID: head}, false
	}
	e, err := gitpush.Push{
		Name: p.kind(), Repository: p.repository(), Ref: p.ref, Before: p.before, After: p.after,
		Commit: list.Head, Commits: list.Commits, SkipsCI: list.HeadSkipsCI,
	}.Event(sender)
	e.Provider = core.ProviderGitLab
	return e, err
}

// pipelineEvent returns the event of a pipeline.
func (p *payload) pipelineEvent() (core.Event, error) {
	e := p.other()
	e.Kind = core.EventBuild
	line := p.pipeline
	e.Commit = p.commit
	e.Commit.ID = field.Commit(line.sha)
	if p.commit.ID != e.Commit.ID {
		e.Commit = core.Commit{ID: e.Commit.ID}
	}
	setRef(&e, line.ref, line.tag)
	e.Build = core.Build{
		Gate: core.GateChecks, Key: "pipeline", Name: strings.TrimSpace("The pipeline " + field.Word(line.id)),
		ID: field.Word(line.id), Number: field.Word(line.number), State: state(line.status), Type: cmp.Or(field.Word(line.source), "unknown"),
		PullRequest: p.hasMergeRequest || strings.HasSuffix(line.source, "_request_event"),
		Message:     field.Prose(cmp.Or(line.detailedStatus, line.status), field.MaxLabel), URL: field.Link(line.url),
	}
	switch {
	case e.Repository.Name == "":
		return core.Event{}, field.Refuse("The pipeline has no valid project; send what " + sender + " sends")
	case e.Commit.ID == "":
		return core.Event{}, field.Refuse("The pipeline has no valid commit; send what " + sender + " sends")
	case !field.ValidRef(line.ref):
		return core.Event{}, field.Refuse("The pipeline has no valid ref; send what " + sender + " sends")
	}
	e.Commits = []string{e.Commit.ID}
	return e, nil
}

// job returns the event of a job, which is a part of a pipeline.
func (p *payload) job() core.Event {
	e := p.other()
	if id := field.Commit(p.sha); id != "" {
		e.Commit.ID = id
		e.Commits = []string{id}
	}
	setRef(&e, p.ref, p.tag)
	e.Build = core.Build{
		ID: field.Word(p.jobID), State: state(p.jobState), Type: "job",
		Message: field.Prose(p.name, field.MaxLabel),
	}
	return e
}

// setRef sets the branch or the tag of a pipeline or a job. That of a merge request
// has neither, but a ref such as "refs/merge-requests/1/head".
func setRef(e *core.Event, ref string, tag bool) {
	switch {
	case !field.ValidRef(ref), strings.HasPrefix(ref, "refs/"):
	case tag:
		e.Tag = ref
	default:
		e.Branch = ref
	}
}

// state returns the state of a pipeline or a job by its status. A status that is
// not known yet does not end it.
func state(status string) core.BuildState {
	switch status {
	case "success":
		return core.BuildPassed
	case "failed":
		return core.BuildFailed
	case "skipped":
		return core.BuildNeutral
	case "canceled":
		return core.BuildCanceled
	case "manual":
		return core.BuildWaiting
	default: // "created", "pending", "running", "scheduled" and so on
		return core.BuildStarted
	}
}
