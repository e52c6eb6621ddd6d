package github

import (
	"slices"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// maxCommits is how many commits of a push are kept, the newest; GitHub sends
// at most 2048.
const maxCommits = 256

// payload is what is read of any payload. A field that is absent, null or of
// another type than GitHub documents is zero.
type payload struct {
	ref, before, after string
	deleted            bool
	head               commit
	commits            []string // ids, oldest first: the last ones
	commitsSkipCI      bool     // all commits of the list, also those not kept, skip CI
	hasCommits         bool     // commits or head_commit is there, if only as null
	repository         repository
	hasRepository      bool // there is one, and it is an object
	zen                string
}

type repository struct {
	name          string
	owner         owner
	htmlURL, url  string // of a push, url is the web page too
	private       bool
	defaultBranch string
	masterBranch  string // its name until 2013, and still there in pushes
	pushedAt      string // a date, as in all events but pushes of today
	pushedAtUnix  int64  // seconds, as in pushes of today
}

type owner struct {
	login string
	name  string // of a push the login too; payloads of 2012 have this alone
}

type commit struct {
	id, message, timestamp, url string
	author                      author
}

type author struct {
	name, email, username string
}

// readPush reads all fields that a push, or a ping, is told by.
func readPush(text []byte) (payload, error) {
	return read(text, "ref", "before", "after", "deleted", "head_commit", "commits", "repository", "zen")
}

// readOther reads what any event may have.
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
			p.head = readCommit(s)
		case "commits":
			p.hasCommits = true
			p.commits, p.commitsSkipCI = readCommits(s)
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
	for key := range s.Object("name", "owner", "html_url", "url", "private", "default_branch", "master_branch", "pushed_at") {
		switch key {
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

func readCommit(s *jsonscan.Scanner) (c commit) {
	for key := range s.Object("id", "message", "timestamp", "url", "author") {
		switch key {
		case "id":
			c.id = s.Text()
		case "message":
			c.message = s.Text()
		case "timestamp":
			c.timestamp = s.Text()
		case "url":
			c.url = s.Text()
		case "author":
			for key := range s.Object("name", "email", "username") {
				switch key {
				case "name":
					c.author.name = s.Text()
				case "email":
					c.author.email = s.Text()
				case "username":
					c.author.username = s.Text()
				}
			}
		}
	}
	return c
}

// readCommits reads the ids of the last commits of a list, maxCommits or some
// more, and whether all commits of the list skip CI. No message is read behind
// the first that does not.
func readCommits(s *jsonscan.Scanner) (ids []string, skipCI bool) {
	skipCI = true
	for range s.Array() {
		var c core.Commit
		wanted := []string{"id", "message"}
		if !skipCI {
			wanted = wanted[:1]
		}
		for key := range s.Object(wanted...) {
			switch key {
			case "id":
				c.ID = s.Text()
			case "message":
				c.Message = s.Text()
			}
		}
		skipCI = skipCI && c.SkipsCI()
		if c.ID == "" {
			continue
		}
		if len(ids) == 2*maxCommits {
			ids = slices.Delete(ids, 0, maxCommits)
		}
		ids = append(ids, c.ID)
	}
	return ids, skipCI
}
