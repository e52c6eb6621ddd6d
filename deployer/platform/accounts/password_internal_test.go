package accounts

import (
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// Who tries names gets no answer sooner for one that is nobody's: a password is
// hashed all the same, with what it takes for one that is somebody's.
func TestNobodysPasswordIsComparedToo(t *testing.T) {
	t.Parallel()
	compared := 0
	a := &Accounts{hashing: make(chan struct{}, 1), dummy: func() string {
		compared++
		return dummyHash()
	}}
	for _, password := range []core.Secret{"", "wrong"} { // the first is the dummy's own
		if right, err := a.right(t.Context(), "nobody", "", false, password); right || err != nil {
			t.Errorf("%q is right: %t, %v", password.Reveal(), right, err)
		}
	}
	if compared != 2 {
		t.Errorf("%d of 2 were compared", compared)
	}
	ours, err := a.hash(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := costs(dummyHash()), costs(ours); got == "" || got != want {
		t.Errorf("nobody's takes %s, and somebody's %s", got, want)
	}
}

// costs is what a hash says of what it takes to compare with it.
func costs(hash string) string {
	parts := strings.Split(hash, "$") // "", "argon2id", version, parameters, salt, key
	if len(parts) != 6 {
		return ""
	}
	return strings.Join(parts[:4], "$")
}
