package bitbucket

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// maxChanges is how many refs a delivery may report. Each becomes an event.
const maxChanges = 1000

// payload is what is read of any payload. A field that is absent, null or of
// another type than documented is zero.
type payload struct {
	eventKey   string // of Data Center
	repository repository
	changes    []gitpush.Push
	total      int  // the number of changes, also of those that are not read
	hasChanges bool // the list is there
	status     status

	// Of a push to a newer Data Center: the newest commit of one of the changes.
	head        core.Commit
	headSkipsCI bool
}

// repository is what is read of a repository. Cloud has fullName and private, Data
// Center the others.
type repository struct {
	fullName string
	private  bool

	slug, projectKey, self string
	public                 bool
	dataCenter             string // the forge if self is ""
}

// status is the status of a commit.
type status struct {
	state, key, name, description string
	url, refName                  string
	hash, commitLink              string // the id of the commit, or a link that ends in it
}

// shape returns the event that has the shape of the payload, "" if none has.
func (p *payload) shape() string {
	switch {
	case p.eventKey != "":
		return p.eventKey
	case p.hasChanges && p.repository.fullName != "":
		return eventPush
	}
	return ""
}

// read reads a payload.
func read(text []byte) (payload, error) {
	var p payload
	s := jsonscan.New(text)
	for key := range s.Object("eventKey", "repository", "push", "changes", "toCommit", "commit_status") {
		switch key {
		case "eventKey":
			p.eventKey = s.Text()
		case "repository":
			p.repository = readRepository(s)
		case "push":
			for range s.Object("changes") {
				p.readChanges(s, readChange)
			}
		case "changes":
			p.readChanges(s, readRefChange)
		case "toCommit":
			p.head, p.headSkipsCI = readHead(s)
		case "commit_status":
			p.status = readStatus(s)
		}
	}
	if err := s.End(); err != nil {
		return payload{}, field.Unreadable(err)
	}
	if p.total > maxChanges {
		return payload{}, field.Refuse(fmt.Sprintf("The push changes %d refs, and at most %d in one push are supported; push the branch to deploy by itself", p.total, maxChanges))
	}
	return p, nil
}

func (p *payload) readChanges(s *jsonscan.Scanner, change func(*jsonscan.Scanner) gitpush.Push) {
	p.hasChanges = p.hasChanges || s.Kind() == jsonscan.Array
	for range s.Array() {
		if p.total++; p.total <= maxChanges {
			p.changes = append(p.changes, change(s))
		}
	}
}

func readRepository(s *jsonscan.Scanner) (r repository) {
	for key := range s.Object("full_name", "is_private", "slug", "project", "public", "links") {
		switch key {
		case "full_name":
			r.fullName = s.Text()
		case "is_private":
			r.private = s.Bool()
		case "slug":
			r.slug = s.Text()
		case "project":
			for range s.Object("key") {
				r.projectKey = s.Text()
			}
		case "public":
			r.public = s.Bool()
		case "links":
			for range s.Object("self") {
				r.self = readLinks(s)
			}
		}
	}
	return r
}

// readLinks reads the first of a list of links.
func readLinks(s *jsonscan.Scanner) (href string) {
	for i := range s.Array() {
		if i == 0 {
			href = readLink(s)
		}
	}
	return href
}

// readLink reads an object with the field href.
func readLink(s *jsonscan.Scanner) (href string) {
	for range s.Object("href") {
		href = s.Text()
	}
	return href
}

// readChange reads a change of a ref of Bitbucket Cloud.
func readChange(s *jsonscan.Scanner) gitpush.Push {
	var p gitpush.Push
	var before, after target
	p.Deleted = true
	for key := range s.Object("new", "old", "commits") {
		switch key {
		case "new":
			p.Deleted = s.Kind() != jsonscan.Object
			after = readTarget(s)
		case "old":
			before = readTarget(s)
		case "commits":
			for range s.Array() {
				for range s.Object("hash") {
					p.Commits.Add(s.Bytes())
				}
			}
		}
	}
	p.Ref, p.Before, p.After = after.ref, before.commit.ID, after.commit.ID
	p.Commit, p.SkipsCI = after.commit, after.skipsCI
	if p.Deleted {
		p.Ref = before.ref
	}
	return p
}

// target is what a ref leads to.
type target struct {
	ref     string
	commit  core.Commit
	skipsCI bool
}

// readTarget reads the new or the old side of a change.
func readTarget(s *jsonscan.Scanner) (t target) {
	var kind, name string
	for key := range s.Object("type", "name", "target") {
		switch key {
		case "type":
			kind = s.Text()
		case "name":
			name = s.Text()
		case "target":
			t.commit, t.skipsCI = readCommit(s)
		}
	}
	switch kind {
	case "branch":
		t.ref = "refs/heads/" + name
	case "tag", "annotated_tag":
		t.ref = "refs/tags/" + name
	}
	return t
}

func readCommit(s *jsonscan.Scanner) (c core.Commit, skipsCI bool) {
	for key := range s.Object("hash", "message", "date", "author", "links") {
		switch key {
		case "hash":
			c.ID = field.Commit(s.Text())
		case "message":
			message := s.Text()
			skipsCI = core.SkipsCI(message)
			c.Message = field.Prose(message, field.MaxProse)
		case "date":
			c.Timestamp = field.Time(s.Text())
		case "author":
			c.Author = readAuthor(s)
		case "links":
			for range s.Object("html") {
				c.URL = field.Link(readLink(s))
			}
		}
	}
	return c, skipsCI
}

// readAuthor reads an author, whose name and address are those of the commit:
// "Ada Lovelace <ada@example.com>".
func readAuthor(s *jsonscan.Scanner) (p core.Person) {
	for key := range s.Object("raw", "user") {
		switch key {
		case "raw":
			name, address, _ := strings.Cut(s.Text(), "<")
			p.Name = field.Prose(strings.TrimSpace(name), field.MaxLabel)
			p.Email = field.Prose(strings.TrimSuffix(strings.TrimSpace(address), ">"), field.MaxLabel)
		case "user":
			for range s.Object("nickname") {
				p.Username = field.Prose(s.Text(), field.MaxLabel)
			}
		}
	}
	return p
}

// readRefChange reads a change of a ref of Bitbucket Data Center.
func readRefChange(s *jsonscan.Scanner) (p gitpush.Push) {
	for key := range s.Object("ref", "fromHash", "toHash", "type") {
		switch key {
		case "ref":
			for range s.Object("id") {
				p.Ref = s.Text()
			}
		case "fromHash":
			p.Before = s.Text()
		case "toHash":
			p.After = s.Text()
		case "type":
			p.Deleted = s.Text() == "DELETE"
		}
	}
	p.Commit.ID = field.Commit(p.After)
	return p
}

// readHead reads a commit of Bitbucket Data Center, and whether its message asks for no
// build.
func readHead(s *jsonscan.Scanner) (c core.Commit, skipsCI bool) {
	for key := range s.Object("id", "message", "author", "authorTimestamp") {
		switch key {
		case "id":
			c.ID = field.Commit(s.Text())
		case "message":
			message := s.Text()
			skipsCI = core.SkipsCI(message)
			c.Message = field.Prose(message, field.MaxProse)
		case "author":
			c.Author = readUser(s)
		case "authorTimestamp":
			ms, _ := s.Int()
			c.Timestamp = field.Unix(ms / 1000)
		}
	}
	return c, skipsCI
}

// readUser reads the author of a commit of Bitbucket Data Center, which is a user of it
// or just a name and an address.
func readUser(s *jsonscan.Scanner) core.Person {
	var p core.Person
	var displayName string
	for key := range s.Object("name", "displayName", "emailAddress", "slug") {
		text := field.Prose(s.Text(), field.MaxLabel)
		switch key {
		case "name":
			p.Name = text
		case "displayName":
			displayName = text
		case "emailAddress":
			p.Email = text
		case "slug":
			p.Username = text
		}
	}
	p.Name = cmp.Or(displayName, p.Name) // a user's name is a login
	return p
}

func readStatus(s *jsonscan.Scanner) (st status) {
	for key := range s.Object("state", "key", "name", "description", "url", "refname", "commit", "links") {
		switch key {
		case "state":
			st.state = s.Text()
		case "key":
			st.key = s.Text()
		case "name":
			st.name = s.Text()
		case "description":
			st.description = s.Text()
		case "url":
			st.url = s.Text()
		case "refname":
			st.refName = s.Text()
		case "commit":
			for range s.Object("hash") {
				st.hash = s.Text()
			}
		case "links":
			for range s.Object("commit") {
				st.commitLink = readLink(s)
			}
		}
	}
	return st
}
