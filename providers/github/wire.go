package github

import (
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// payload is what is read of any payload. A field that is absent, null or of
// another type than GitHub documents is zero.
type payload struct {
	ref, before, after string
	deleted            bool
	head               core.Commit
	headSkipsCI        bool
	commits            gitpush.Commits
	listsCommits       bool // the list is not empty
	commitsSkipCI      bool // all commits of the list, also those not kept, skip CI
	hasCommits         bool // commits or head_commit is present, perhaps as null
	repository         repository
	hasRepository      bool // it is present and an object
	zen                string
}

type repository struct {
	id            string
	name          string
	owner         owner
	htmlURL, url  string // of a push, url is the web page too
	private       bool
	defaultBranch string
	masterBranch  string // its name until 2013, and still in pushes
	pushedAt      string // a date, as in all events but pushes of today
	pushedAtUnix  int64  // seconds, as in pushes of today
}

type owner struct {
	login string
	name  string // of a push, the login; payloads of 2012 have this alone
}

// readPush reads the fields of a push and of a ping.
func readPush(text []byte) (payload, error) {
	return read(text, "ref", "before", "after", "deleted", "head_commit", "commits", "repository", "zen")
}

// readOther reads the fields that any event may have.
func readOther(text []byte) (payload, error) { return read(text, "repository") }

// read reads the wanted fields of a payload.
func read(text []byte, wanted ...string) (payload, error) {
	var p payload
	s := jsonscan.New(text)
	for key := range s.Object(wanted...) {
		switch key {
		case "ref":
			p.ref = s.Text()
		case "before":
			p.before = s.Text()
		case "after":
			p.after = s.Text()
		case "deleted":
			p.deleted = s.Bool()
		case "head_commit":
			p.hasCommits = true
			p.head, p.headSkipsCI = gitpush.ReadCommit(s)
		case "commits":
			p.hasCommits = true
			p.readCommits(s)
		case "repository":
			p.hasRepository = s.Kind() == jsonscan.Object
			p.repository = readRepository(s)
		case "zen":
			p.zen = s.Text()
		}
	}
	if err := s.End(); err != nil {
		return payload{}, field.Unreadable(err)
	}
	return p, nil
}

func readRepository(s *jsonscan.Scanner) (r repository) {
	for key := range s.Object("id", "name", "owner", "html_url", "url", "private", "default_branch", "master_branch", "pushed_at") {
		switch key {
		case "id":
			r.id = s.Word()
		case "name":
			r.name = s.Text()
		case "owner":
			for key := range s.Object("login", "name") {
				switch key {
				case "login":
					r.owner.login = s.Text()
				case "name":
					r.owner.name = s.Text()
				}
			}
		case "html_url":
			r.htmlURL = s.Text()
		case "url":
			r.url = s.Text()
		case "private":
			r.private = s.Bool()
		case "default_branch":
			r.defaultBranch = s.Text()
		case "master_branch":
			r.masterBranch = s.Text()
		case "pushed_at":
			if s.Kind() == jsonscan.Number {
				r.pushedAtUnix, _ = s.Int()
			} else {
				r.pushedAt = s.Text()
			}
		}
	}
	return r
}

// readCommits reads the list of commits. It reads no message after that of the
// first commit that does not skip CI.
func (p *payload) readCommits(s *jsonscan.Scanner) {
	p.commitsSkipCI = true
	for range s.Array() {
		skips := false
		wanted := 1
		if p.commitsSkipCI {
			wanted = 2
		}
		p.listsCommits = true
		for key := range s.Object([]string{"id", "message"}[:wanted]...) {
			switch key {
			case "id":
				p.commits.Add(s.Bytes())
			case "message":
				skips = core.SkipsCI(s.Bytes())
			}
		}
		p.commitsSkipCI = p.commitsSkipCI && skips
	}
}
