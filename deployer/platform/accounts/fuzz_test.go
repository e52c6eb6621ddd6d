package accounts

import (
	"net/url"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// A token's name is one part of a key and of a path: it is found again among
// its user's tokens, and never among those of another user.
func FuzzTokenName(f *testing.F) {
	for _, seed := range []string{"", "ci", "a b", ".", "..", "a/b", "a\x00b", "A.b_c@d:e-f", "ü", strings.Repeat("a", 101), "%2e%2e", "a\n", " "} {
		f.Add("alice", "bob", seed)
		f.Add("alice", "alice.b", seed)
	}
	f.Fuzz(func(t *testing.T, user, other, name string) {
		if !core.ValidName(user) || !core.ValidName(other) || !tokenName(name) {
			return
		}
		key := within(user, name)
		for _, one := range []string{user, other} {
			rest, own := strings.CutPrefix(key, within(one, ""))
			if own != (one == user) || own && rest != name {
				t.Fatalf("%q of %q is found as %q of %q: %t", name, user, rest, one, own)
			}
		}
		if found, err := url.PathUnescape(url.PathEscape(name)); err != nil || found != name || strings.ContainsAny(name, "/\\\x00\r\n") || len(name) > maxTokenName {
			t.Fatalf("%q is not safe in a path", name)
		}
		if sealedFor(user, name) == sealedFor(other, name) && user != other {
			t.Fatalf("%q of %q and of %q are sealed alike", name, user, other)
		}
	})
}
