package travis

import (
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// payload is what is read of a notification. A field that is absent, null or
// of a type that Travis CI never sent is zero.
type payload struct {
	id, number    string // numbers in some years
	kind          string // `type`, since October 2013
	state         string // since 2015
	status        string // "0", "1", or "" for null
	result        string // the same; payloads from before May 2012 have status alone
	statusMessage string
	resultMessage string // the same
	buildURL      string
	pullRequest   bool

	commit, headCommit      string // headCommit since 2015, of a pull request
	branch, tag             string // of a tag, the branch is the tag's name
	message, committedAt    string
	authorName, authorEmail string
	compareURL              string

	repository repository
	hasMatrix  bool
	hasCard    bool // it has a field that only a card for Microsoft Teams has
}

type repository struct{ owner, name, url string }

// read reads a payload.
func read(text []byte) (payload, error) {
	var p payload
	s := jsonscan.New(text)
	for key := range s.Object(
		"id", "number", "type", "state", "status", "result", "status_message", "result_message", "build_url",
		"pull_request", "pull_request_number", "commit", "head_commit", "branch", "tag", "message", "committed_at",
		"author_name", "author_email", "compare_url", "repository", "matrix", "@type", "attachments",
	) {
		p.readField(s, key)
	}
	if err := s.End(); err != nil {
		return payload{}, field.Unreadable(err)
	}
	return p, nil
}

func (p *payload) readField(s *jsonscan.Scanner, key string) {
	switch key {
	case "id":
		p.id = s.Word()
	case "number":
		p.number = s.Word()
	case "type":
		p.kind = s.Text()
	case "state":
		p.state = s.Text()
	case "status":
		p.status = s.Word()
	case "result":
		p.result = s.Word()
	case "status_message":
		p.statusMessage = s.Text()
	case "result_message":
		p.resultMessage = s.Text()
	case "build_url":
		p.buildURL = s.Text()
	case "pull_request", "pull_request_number":
		p.pullRequest = truthy(s) || p.pullRequest
	case "repository":
		p.repository = readRepository(s)
	case "matrix":
		p.hasMatrix = s.Kind() == jsonscan.Array
	case "@type", "attachments":
		p.hasCard = true
	default:
		p.readCommitField(s, key)
	}
}

func (p *payload) readCommitField(s *jsonscan.Scanner, key string) {
	switch key {
	case "commit":
		p.commit = s.Text()
	case "head_commit":
		p.headCommit = s.Text()
	case "branch":
		p.branch = s.Text()
	case "tag":
		p.tag = s.Text()
	case "message":
		p.message = s.Text()
	case "committed_at":
		p.committedAt = s.Text()
	case "author_name":
		p.authorName = s.Text()
	case "author_email":
		p.authorEmail = s.Text()
	case "compare_url":
		p.compareURL = s.Text()
	}
}

func readRepository(s *jsonscan.Scanner) (r repository) {
	for key := range s.Object("owner_name", "name", "url") {
		switch key {
		case "owner_name":
			r.owner = s.Text()
		case "name":
			r.name = s.Text()
		case "url":
			r.url = s.Text()
		}
	}
	return r
}

// truthy reads a value that means yes if it is present: pull_request was not a
// boolean until July 2017, and pull_request_number may be a string.
func truthy(s *jsonscan.Scanner) bool {
	switch s.Kind() {
	case jsonscan.True:
		return s.Bool()
	case jsonscan.Number, jsonscan.String:
		word := s.Word()
		return word != "" && word != "0" && word != "false"
	default:
		is := s.Kind() == jsonscan.Object
		s.Skip()
		return is
	}
}

// build reports whether the payload looks like a notification of a build.
func (p *payload) build() bool {
	hasState := p.state != "" || p.statusMessage != "" || p.resultMessage != ""
	return p.repository.owner != "" && p.repository.name != "" && hasState && (p.hasMatrix || p.number != "" || p.buildURL != "")
}

// card reports whether the payload looks like what Travis CI posts to Microsoft
// Teams: a "MessageCard", or a message with attachments.
func (p *payload) card() bool { return p.hasCard && p.repository == repository{} }
