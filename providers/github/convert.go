package github

import (
	"cmp"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
)

// push returns the event of a push.
func (p payload) push() (core.Event, error) {
	e := p.other(core.EventPush, "push")
	switch {
	case e.Repository.Name == "":
		return core.Event{}, field.Refuse("The push names no valid repository; send what GitHub sends, with repository.owner and repository.name")
	case !field.ValidRef(p.ref):
		return core.Event{}, field.Refuse("The push names no valid ref; send what GitHub sends, with a ref such as \"refs/heads/master\"")
	}
	e.Ref = p.ref
	e.Branch, e.Tag = under("refs/heads/", p.ref), under("refs/tags/", p.ref)
	e.Before = field.Commit(p.before)
	e.PushedAt = p.repository.pushed()
	e.Deleted = p.deleted || gone(p.after)
	if e.Deleted {
		return e, nil
	}
	after := field.Commit(p.after)
	if after == "" {
		return core.Event{}, field.Refuse("The push names no valid commit; send what GitHub sends, with the commit's id in after")
	}
	e.Commit = p.head.commit()
	if e.Tag == "" {
		e.Commit.ID = after
	}
	e.Commits = p.commits.List(e.Commit.ID, after, field.Commit(p.head.id))
	e.SkipsCI = p.skipsCI()
	return e, nil
}

// other returns what any event says.
func (p payload) other(kind core.EventKind, name string) core.Event {
	return core.Event{
		Provider: core.ProviderGitHub, Kind: kind, Name: name,
		Repository: field.Repository(core.Repository{
			Owner:         cmp.Or(p.repository.owner.login, p.repository.owner.name),
			Name:          p.repository.name,
			URL:           cmp.Or(p.repository.htmlURL, p.repository.url),
			Private:       p.repository.private,
			DefaultBranch: cmp.Or(p.repository.defaultBranch, p.repository.masterBranch),
		}),
	}
}

// skipsCI tells whether Travis CI is asked to build nothing of the push: it
// builds the last commit of the list that does not skip CI. A push that brings
// no commits, as that of a new branch, has its head alone.
func (p payload) skipsCI() bool {
	if !p.listsCommits {
		return core.Commit{Message: p.head.message}.SkipsCI()
	}
	return p.commitsSkipCI
}

// pushed returns when the repository was pushed to, by GitHub's clock.
func (r repository) pushed() time.Time {
	if r.pushedAtUnix != 0 {
		return field.Unix(r.pushedAtUnix)
	}
	return field.Time(r.pushedAt).Truncate(time.Second)
}

func (c commit) commit() core.Commit {
	return core.Commit{
		ID:      field.Commit(c.id),
		Message: field.Prose(c.message, field.MaxProse),
		Author: core.Person{
			Name:     field.Prose(c.author.name, field.MaxLabel),
			Email:    field.Prose(c.author.email, field.MaxLabel),
			Username: field.Prose(c.author.username, field.MaxLabel),
		},
		URL:       field.Link(c.url),
		Timestamp: field.Time(c.timestamp),
	}
}

// under returns the name that ref has below prefix, "" where it is elsewhere.
func under(prefix, ref string) string {
	name, is := strings.CutPrefix(ref, prefix)
	if !is {
		return ""
	}
	return name
}

// gone tells whether id is the all-zero one that stands for no commit.
func gone(id string) bool {
	return (len(id) == 40 || len(id) == 64) && strings.Trim(id, "0") == ""
}
