package gitpush

import (
	"fmt"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
)

// Push is what a payload says of a change of one ref.
type Push struct {
	Name       string          // of the event
	Repository core.Repository // zero if the payload's is invalid
	Ref        string          // such as "refs/heads/main"
	Before     string          // the ref's commit before the push, as the payload has it
	After      string          // its commit since; all zeros if the ref was deleted
	Deleted    bool            // the payload says so by other means
	Commit     core.Commit     // what to deploy, as far as the payload describes it
	Commits    Commits
	SkipsCI    bool
}

// Event returns the event of p, without a provider. Commit is what to deploy; its
// id is that of p.Commit for a tag, as After may be that of the tag object, else
// After. Event fails with [core.CodeProviderNotSupported] if the repository, the
// ref or the commit is invalid. Sender is who sends such payloads, for the reason
// of the error.
func (p Push) Event(sender string) (core.Event, error) {
	refuse := func(what string) (core.Event, error) {
		return core.Event{}, field.Refuse(fmt.Sprintf("The push has no valid %s; send what %s sends", what, sender))
	}
	e := core.Event{
		Kind: core.EventPush, Name: p.Name, Repository: p.Repository,
		Ref: p.Ref, Branch: Branch(p.Ref), Tag: Tag(p.Ref),
		Before: field.Commit(p.Before), Deleted: p.Deleted || None(p.After),
	}
	switch {
	case e.Repository.Name == "":
		return refuse("repository")
	case !field.ValidRef(p.Ref):
		return refuse("ref")
	case e.Deleted:
		return e, nil
	}
	after := field.Commit(p.After)
	if after == "" {
		return refuse("commit")
	}
	e.Commit = p.Commit
	if e.Tag == "" {
		e.Commit.ID = after
	}
	e.Commits = p.Commits.List(e.Commit.ID, after, p.Commit.ID)
	e.SkipsCI = p.SkipsCI
	return e, nil
}

// Branch returns the name of the branch that ref is, "" if it is another ref.
func Branch(ref string) string { return below("refs/heads/", ref) }

// Tag returns the name of the tag that ref is, "" if it is another ref.
func Tag(ref string) string { return below("refs/tags/", ref) }

func below(prefix, ref string) string {
	name, found := strings.CutPrefix(ref, prefix)
	if !found {
		return ""
	}
	return name
}

// None reports whether id is the all-zero id, which means no commit.
func None(id string) bool {
	return (len(id) == 40 || len(id) == 64) && strings.Trim(id, "0") == ""
}
