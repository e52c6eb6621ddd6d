package bitbucket

import (
	"cmp"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
)

const sender = "Bitbucket"

// other returns what any event says.
func (p *payload) other(name string) core.Event {
	return core.Event{Provider: core.ProviderBitbucket, Kind: core.EventOther, Name: name, Repository: p.repository.repository()}
}

// repository returns the repository, the zero Repository if it is invalid.
func (r repository) repository() core.Repository {
	if r.fullName == "" {
		repo := field.GroupedRepository(core.Repository{
			Owner: r.projectKey, Name: r.slug, URL: r.self, Private: !r.public,
		})
		if repo.Name != "" && repo.Forge == "" {
			repo.Forge = r.dataCenter
		}
		return repo
	}
	owner, name, _ := strings.Cut(r.fullName, "/")
	return field.Repository(core.Repository{
		Forge: Cloud, Owner: owner, Name: name, URL: "https://" + Cloud + "/" + r.fullName, Private: r.private,
	})
}

// push returns the events of a push as that of its first change.
func (p *payload) push(name string) (core.Event, error) {
	first := p.other(name)
	for i, change := range p.changes {
		change.Name, change.Repository = name, first.Repository
		if p.head.ID != "" && p.head.ID == change.Commit.ID {
			change.Commit, change.SkipsCI = p.head, p.headSkipsCI
		}
		e, err := change.Event(sender)
		if err != nil {
			return core.Event{}, err
		}
		e.Provider = core.ProviderBitbucket
		if i == 0 {
			first = e
		} else {
			first.Others = append(first.Others, e)
		}
	}
	return first, nil
}

// statusEvent returns the event of the status of a commit.
func (p *payload) statusEvent(name string) (core.Event, error) {
	st := p.status
	e := p.other(name)
	e.Kind = core.EventBuild
	e.Commit.ID = field.Commit(cmp.Or(st.hash, st.commitLink[strings.LastIndexByte(st.commitLink, '/')+1:]))
	if field.ValidRef(st.refName) {
		e.Branch = st.refName
	}
	e.Build = core.Build{
		Gate: core.GateChecks, Name: "The build " + field.Prose(cmp.Or(st.name, st.key), field.MaxLabel),
		ID: field.Word(st.key), State: state(st.state), Type: "status",
		Message: field.Prose(cmp.Or(st.description, st.name), field.MaxLabel), URL: field.Link(st.url),
	}
	if key := field.Word(st.key); key != "" {
		e.Build.Key = "status:" + key
	}
	switch {
	case e.Repository.Name == "":
		return core.Event{}, field.Refuse("The status has no valid repository; send what " + sender + " sends")
	case e.Commit.ID == "":
		return core.Event{}, field.Refuse("The status has no valid commit; send what " + sender + " sends")
	}
	e.Commits = []string{e.Commit.ID}
	return e, nil
}

// state returns the state of a status. One that is not known yet does not end the
// build.
func state(text string) core.BuildState {
	switch text {
	case "SUCCESSFUL":
		return core.BuildPassed
	case "FAILED":
		return core.BuildFailed
	case "STOPPED":
		return core.BuildCanceled
	default: // "INPROGRESS"
		return core.BuildStarted
	}
}
