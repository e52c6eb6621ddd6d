package github

import (
	"cmp"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
)

// forge is the forge of a repository whose web address is unknown.
const forge = "github.com"

// push returns the event of a push.
func (p *payload) push() (core.Event, error) {
	other := p.other(core.EventPush, "push")
	e, err := gitpush.Push{
		Name: other.Name, Repository: other.Repository,
		Ref: p.ref, Before: p.before, After: p.after, Deleted: p.deleted,
		Commit: p.head, Commits: p.commits, SkipsCI: p.skipsCI(),
	}.Event("GitHub")
	e.Provider, e.PushedAt = other.Provider, p.repository.pushed()
	return e, err
}

// other returns what any event says.
func (p *payload) other(kind core.EventKind, name string) core.Event {
	r := field.Repository(core.Repository{
		Owner:         cmp.Or(p.repository.owner.login, p.repository.owner.name),
		Name:          p.repository.name,
		URL:           cmp.Or(p.repository.htmlURL, p.repository.url),
		Private:       p.repository.private,
		DefaultBranch: cmp.Or(p.repository.defaultBranch, p.repository.masterBranch),
	})
	if r.Name != "" && r.Forge == "" {
		r.Forge = forge
	}
	return core.Event{Provider: core.ProviderGitHub, Kind: kind, Name: name, Repository: r}
}

// skipsCI reports whether Travis CI builds nothing of the push: it builds the last
// commit of the list that does not skip CI. A push without commits, as that of a
// new branch, has its head commit alone.
func (p *payload) skipsCI() bool {
	if !p.listsCommits {
		return p.headSkipsCI
	}
	return p.commitsSkipCI
}

// pushed returns when the repository was last pushed to by GitHub's clock.
func (r repository) pushed() time.Time {
	if r.pushedAtUnix != 0 {
		return field.Unix(r.pushedAtUnix)
	}
	return field.Time(r.pushedAt).Truncate(time.Second)
}
