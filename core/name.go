package core

import (
	"fmt"
	"strings"
)

// MaxName is the longest name of a user, an app or a snapshot, in bytes.
const MaxName = 64

// NameRule describes what ValidName accepts, for messages.
const NameRule = "lower-case letters, digits, '.', '_' and '-', at most 64, starting with a letter or digit"

// CheckName returns an error that says what is wrong with name unless it is a
// [ValidName]. what is what it names, such as "app".
func CheckName(what, name string) error {
	if ValidName(name) {
		return nil
	}
	return fmt.Errorf("invalid %s name %.100q: want %s", what, name, NameRule)
}

// ValidName reports whether s may name a user, an app or a snapshot: lower-case
// letters, digits, '.', '_' and '-', at most [MaxName] bytes, beginning with a
// letter or a digit. Names that are not valid never reach a path, a key or a host name.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName || !alphanumeric(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

// ValidID reports whether s may be the id of an entry: 32 lower-case hex digits.
func ValidID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}
