package core_test

import (
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

func TestValidName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a": true, "0": true, "hello-world-api_flatiron.2": true, strings.Repeat("a", 64): true,
		"": false, strings.Repeat("a", 65): false, "A": false, "aB": false, ".a": false, "-a": false, "_a": false,
		"a/b": false, "..": false, "a b": false, "a\x00": false, "a\n": false, "é": false, "a:b": false, "a%2f": false, "*": false,
	} {
		if got := core.ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %t, want %t", name, got, want)
		}
	}
}

func TestValidID(t *testing.T) {
	t.Parallel()
	id := "2b3de47c2ce04a9dda4d31aac5000bab"
	for text, want := range map[string]bool{
		id: true, strings.Repeat("0", 32): true,
		"": false, id[1:]: false, id + "0": false, strings.ToUpper(id): false, "../" + id[3:]: false, "g" + id[1:]: false,
	} {
		if got := core.ValidID(text); got != want {
			t.Errorf("ValidID(%q) = %t, want %t", text, got, want)
		}
	}
}

func TestValidRepositoryPart(t *testing.T) {
	t.Parallel()
	for part, want := range map[string]bool{
		"dscape": true, "Hello-World_2.js": true, ".github": true, "-x": true, "A": true, strings.Repeat("a", 100): true,
		"": false, ".": false, "..": false, strings.Repeat("a", 101): false,
		"a/b": false, "a b": false, "a\x00": false, "é": false, "a?b": false, "a#b": false, "a@b": false, "a[b": false, "a\\b": false,
		"a\x10": false, "a\x0e": false, // what sets one bit of them makes a digit, or a dot
	} {
		if got := core.ValidRepositoryPart(part); got != want {
			t.Errorf("ValidRepositoryPart(%q) = %t, want %t", part, got, want)
		}
	}
}

func TestValidRepositoryOwner(t *testing.T) {
	t.Parallel()
	for owner, want := range map[string]bool{
		"dscape": true, "group/sub-group/x": true, "~gopher": true, strings.Repeat("a/", 127) + "a": true,
		"": false, "~": false, "~~a": false, "a/~b": false, "a~": false, "/a": false, "a/": false, "a//b": false, "a/../b": false, "a/.": false,
		"a b/c": false, "a%2fb": false, strings.Repeat("a/", 128) + "a": false,
	} {
		if got := core.ValidRepositoryOwner(owner); got != want {
			t.Errorf("ValidRepositoryOwner(%q) = %t, want %t", owner, got, want)
		}
	}
}

func TestValidCommit(t *testing.T) {
	t.Parallel()
	sha := "96410ed970f6224a4cd3c450150c5d65bbc77fcd"
	for id, want := range map[string]bool{
		sha: true, strings.Repeat("a", 64): true,
		"": false, sha[1:]: false, sha + "0": false, strings.ToUpper(sha): false, strings.Repeat("0", 40): false, strings.Repeat("0", 64): false,
		"../" + sha[3:]: false,
	} {
		if got := core.ValidCommit(id); got != want {
			t.Errorf("ValidCommit(%q) = %t, want %t", id, got, want)
		}
	}
}
