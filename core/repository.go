package core

import (
	"strings"
	"time"
)

// Repository is a source repository as a provider names it.
type Repository struct {
	Owner         string `json:"owner"`
	Name          string `json:"name"`
	URL           string `json:"url,omitempty"`
	Private       bool   `json:"private,omitempty"`
	DefaultBranch string `json:"default_branch,omitempty"` // "" where the payload does not say
}

// Slug returns "owner/name".
func (r Repository) Slug() string { return r.Owner + "/" + r.Name }

// Key returns the slug in the form that is compared: lower-case, as GitHub
// takes names without regard to case.
func (r Repository) Key() string { return strings.ToLower(r.Slug()) }

// ValidRepositoryPart tells whether s may be the owner or the name of a
// repository: letters, digits, '.', '_' and '-', at most 100 bytes, and
// neither "." nor "..".
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

// ValidCommit tells whether s may be the id of a commit: 40 or 64 lower-case
// hex digits (SHA-1 or SHA-256), not all of them zero, which stands for "no
// commit" in payloads.
func ValidCommit(s string) bool {
	return (len(s) == 40 || len(s) == 64) &&
		strings.Trim(s, "0123456789abcdef") == "" && strings.Trim(s, "0") != ""
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

// SkipsCI tells whether the commit's message asks for no build, as Travis CI
// reads it: "[skip ci]", "[ci skip]", "[skip-ci]" or "[ci:skip]", whatever the
// case (travis-ci/travis-core, lib/travis/model/commit; FACTS 5.2).
func (c Commit) SkipsCI() bool {
	message := strings.ToLower(c.Message)
	for _, mark := range []string{"[skip ci]", "[ci skip]", "[ci:skip]", "[skip:ci]", "[ci-skip]", "[skip-ci]"} {
		if strings.Contains(message, mark) {
			return true
		}
	}
	return false
}
