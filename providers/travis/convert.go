package travis

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
)

// event returns the event of a build.
func (p *payload) event() (core.Event, error) {
	e := core.Event{
		Provider: core.ProviderTravis, Kind: core.EventBuild,
		Repository: field.Repository(core.Repository{Forge: p.forge(), Owner: p.repository.owner, Name: p.repository.name, URL: p.repository.url}),
		Commit: core.Commit{
			ID:        field.Commit(p.commit),
			Message:   field.Prose(p.message, field.MaxProse),
			Author:    core.Person{Name: field.Prose(p.authorName, field.MaxLabel), Email: field.Prose(p.authorEmail, field.MaxLabel)},
			URL:       field.Link(p.compareURL),
			Timestamp: field.Time(p.committedAt),
		},
		Build: core.Build{
			Gate: gateName, Key: gateKey, Name: "Travis CI's build " + cmp.Or(field.Word(p.number), field.Word(p.id)), Deploys: true,
			ID: field.Word(p.id), Number: field.Word(p.number), State: p.buildState(), Type: p.buildType(),
			PullRequest: p.ofPullRequest(), Message: field.Prose(p.words(), field.MaxLabel), URL: field.Link(p.buildURL),
		},
	}
	e.Name = cmp.Or(e.Build.Type, "build")
	e.Branch, e.Tag = p.branch, p.tag
	if p.tag != "" {
		e.Branch = ""
	}
	switch ref := cmp.Or(e.Branch, e.Tag); {
	case e.Repository.Name == "":
		return core.Event{}, field.Refuse("The build has no valid repository; send what Travis CI sends, with repository.owner_name and repository.name")
	case e.Commit.ID == "":
		return core.Event{}, field.Refuse("The build has no valid commit; send what Travis CI sends, with the commit's whole id in commit")
	case ref != "" && !field.ValidRef(ref):
		return core.Event{}, field.Refuse("The build has no valid branch or tag; send what Travis CI sends")
	case e.Build.State == "":
		return core.Event{}, field.Refuse("The build has no known state; send what Travis CI sends, with state, or with status and status_message")
	}
	e.Commits = []string{e.Commit.ID}
	if head := field.Commit(p.headCommit); e.Build.PullRequest && head != "" && head != e.Commit.ID {
		e.Commits = append(e.Commits, head)
	}
	return e, nil
}

// forge returns the forge of the repository: that of the compared commits. The
// repository's own address may be that of its home page.
func (p *payload) forge() string {
	_, forge := field.Address(p.compareURL)
	return cmp.Or(forge, "github.com")
}

// words returns the build's state in Travis CI's words.
func (p *payload) words() string { return cmp.Or(p.statusMessage, p.resultMessage) }

// buildState returns the state of the build, "" if the payload does not say it or
// contradicts itself.
func (p *payload) buildState() core.BuildState {
	switch strings.ToLower(p.state) {
	case "created", "queued", "received", "started":
		return core.BuildStarted
	case "passed":
		return core.BuildPassed
	case "failed":
		return core.BuildFailed
	case "errored":
		return core.BuildErrored
	case "canceled", "cancelled":
		return core.BuildCanceled
	}
	switch strings.ToLower(p.words()) {
	case "passed", "fixed":
		// The words alone are not enough: old versions sent them with both results.
		if cmp.Or(p.status, p.result) == "0" && cmp.Or(p.result, p.status) == "0" {
			return core.BuildPassed
		}
	case "pending":
		return core.BuildStarted
	case "broken", "failed", "still failing":
		return core.BuildFailed
	case "errored":
		return core.BuildErrored
	case "canceled", "cancelled":
		return core.BuildCanceled
	}
	return ""
}

// buildType returns the type of the build, "" only if the payload has none: one with
// an invalid type must not count as one that is too old to have a type.
func (p *payload) buildType() string {
	if p.kind == "" {
		return ""
	}
	return cmp.Or(field.Word(p.kind), "unknown")
}

// ofPullRequest reports whether the build is of a pull request. Payloads from before
// 2014 say so only by compare_url, "https://github.com/OWNER/NAME/pull/N".
func (p *payload) ofPullRequest() bool {
	if p.pullRequest || p.kind == "pull_request" {
		return true
	}
	u, err := url.Parse(p.compareURL)
	if err != nil {
		return false
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	return len(parts) >= 4 && parts[2] == "pull"
}
