package gitpush

import (
	"bytes"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// ReadCommit reads a commit as GitHub, GitLab and Gitea describe it, and whether
// its message asks for no build.
func ReadCommit(s *jsonscan.Scanner) (c core.Commit, skipsCI bool) {
	for key := range s.Object("id", "message", "timestamp", "url", "author") {
		switch key {
		case "id":
			c.ID = field.Commit(s.Text())
		case "message":
			message := s.Text()
			skipsCI = core.SkipsCI(message)
			c.Message = field.Prose(message, field.MaxProse)
		case "timestamp":
			c.Timestamp = field.Time(s.Text())
		case "url":
			c.URL = field.Link(s.Text())
		case "author":
			c.Author = readPerson(s)
		}
	}
	return c, skipsCI
}

func readPerson(s *jsonscan.Scanner) (p core.Person) {
	for key := range s.Object("name", "email", "username") {
		text := field.Prose(s.Text(), field.MaxLabel)
		switch key {
		case "name":
			p.Name = text
		case "email":
			p.Email = text
		case "username":
			p.Username = text
		}
	}
	return p
}

// List is what is read of a list of commits.
type List struct {
	Commits     Commits
	Head        core.Commit // the one that was asked for; zero if it is not in the list
	HeadSkipsCI bool
}

// ReadList reads a list of commits; head is the id of the commit to return as Head.
func ReadList(s *jsonscan.Scanner, head string) (l List) {
	want := []byte(head)
	for range s.Array() {
		start := s.Offset()
		isHead := false
		for range s.Object("id") {
			id := s.Bytes()
			l.Commits.Add(id)
			isHead = bytes.EqualFold(id, want)
		}
		if isHead && head != "" && l.Head.ID == "" {
			s.Rewind(start) // to read the same commit again
			l.Head, l.HeadSkipsCI = ReadCommit(s)
		}
	}
	return l
}
