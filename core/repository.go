package core

import (
	"strings"
	"time"
)

// GitHubHost is the host of GitHub.
const GitHubHost = "github.com"

// Repository is a source repository as a provider names it. Forge, Owner and Name
// identify it.
type Repository struct {
	Forge         string `json:"forge,omitempty"` // the host of the forge, such as "gitlab.com"; "" if the payload does not say
	Owner         string `json:"owner"`           // a user, an organization or, on GitLab, a path of groups such as "group/subgroup"
	Name          string `json:"name"`
	URL           string `json:"url,omitempty"`
	Private       bool   `json:"private,omitempty"`
	DefaultBranch string `json:"default_branch,omitempty"` // "" if the payload does not say
}

// Slug returns "owner/name".
func (r Repository) Slug() string { return r.Owner + "/" + r.Name }

// Key returns the repository's identity, "forge/owner/name", in lower case, as
// forges ignore the case of names.
func (r Repository) Key() string { return strings.ToLower(r.Forge + "/" + r.Slug()) }

// ValidRepositoryOwner reports whether s may be the owner of a repository on some
// forge: one or more parts that are separated by slashes, at most 255 bytes. The
// first part may begin with a tilde, as that of a personal repository of Bitbucket
// Data Center does.
func ValidRepositoryOwner(s string) bool {
	if len(s) > 255 {
		return false
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(s, "~"), "/") {
		if !ValidRepositoryPart(part) {
			return false
		}
	}
	return true
}

// ValidRepositoryPart reports whether s may be the name of a repository or the
// name of its owner on GitHub: letters, digits, '.', '_' and '-', at most 100
// bytes, and neither "." nor "..".
func ValidRepositoryPart(s string) bool {
	if s == "" || len(s) > 100 || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && (c < 'A' || c > 'Z') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// ValidCommit reports whether s may be the id of a commit: 40 or 64 lower-case
// hex digits (SHA-1 or SHA-256), not all of them zero, which means "no
// commit" in payloads.
func ValidCommit(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	some := false
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
		some = some || c != '0'
	}
	return some
}

// Commit is one commit as a payload describes it.
type Commit struct {
	ID        string    `json:"id"`
	Message   string    `json:"message,omitempty"`
	Author    Person    `json:"author,omitzero"`
	URL       string    `json:"url,omitempty"`
	Timestamp time.Time `json:"timestamp,omitzero"`
}

// Person is the author of a commit.
type Person struct {
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	Username string `json:"username,omitempty"`
}

// SkipsCI reports whether the commit's message asks for no build, see
// [SkipsCI].
func (c Commit) SkipsCI() bool { return SkipsCI(c.Message) }

// SkipsCI reports whether the message of a commit asks for no build, as Travis CI
// reads it: "[skip ci]", "[ci skip]", "[skip-ci]" or "[ci:skip]", ignoring case
// (travis-ci/travis-core, lib/travis/model/commit).
func SkipsCI[T string | []byte](message T) bool {
	return hasMark(message, "[skip ci]", "[ci skip]", "[ci:skip]", "[skip:ci]", "[ci-skip]", "[skip-ci]")
}

// SkipsDeploy reports whether the commit's message asks for no deployment: "[skip
// deploy]", "[deploy skip]", "[skip cd]" or "[cd skip]", ignoring case.
func (c Commit) SkipsDeploy() bool {
	return hasMark(c.Message, "[skip deploy]", "[deploy skip]", "[skip cd]", "[cd skip]")
}

// SkipsChecks reports whether the commit's message asks for no run of a workflow:
// "[skip ci]", "[ci skip]", "[no ci]", "[skip actions]" or "[actions skip]", or a last
// line "skip-checks:true" (docs.github.com, "Skipping workflow runs"; Gitea's and
// Forgejo's Actions and GitLab's pipelines know the first ones).
func (c Commit) SkipsChecks() bool {
	text := strings.TrimSpace(c.Message)
	last := strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
	return hasMark(text, "[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]") ||
		strings.EqualFold(last, "skip-checks:true") || strings.EqualFold(last, "skip-checks: true")
}

// hasMark reports whether a message has one of marks, which are in lower case and
// begin with a bracket, ignoring case.
func hasMark[T string | []byte](message T, marks ...string) bool {
	for i := range len(message) {
		if message[i] != '[' {
			continue
		}
		for _, mark := range marks {
			if len(message)-i >= len(mark) && equalFold(message[i:i+len(mark)], mark) {
				return true
			}
		}
	}
	return false
}

// equalFold reports whether s in lower case is lower, an ASCII text of the same
// length.
func equalFold[T string | []byte](s T, lower string) bool {
	for i := range len(lower) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
