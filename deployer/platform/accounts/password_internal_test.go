package accounts

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
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
	for _, password := range []core.Secret{{}, core.NewSecret("wrong")} { // the first is the dummy's own
		if right, err := a.right(t.Context(), "", false, password); right || err != nil {
			t.Errorf("%q is right: %t, %v", password.Reveal(), right, err)
		}
	}
	if compared != 2 {
		t.Errorf("%d of 2 were compared", compared)
	}
	ours, err := a.hash(t.Context(), core.NewSecret("x"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := costs(dummyHash()), costs(ours); got == "" || got != want {
		t.Errorf("nobody's takes %s, and somebody's %s", got, want)
	}
}

// However many passwords wait to be hashed, those who are known by theirs, or
// have a token, do not wait behind them.
func TestHashingKeepsNobodyElseWaiting(t *testing.T) {
	t.Parallel()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	keys, err := seal.Parse(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{DB: db, Seal: keys, ServiceUser: "webhooks", Key: core.NewSecret("key")})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Create(t.Context(), "alice", core.NewSecret("password"), ""); err != nil {
		t.Fatal(err)
	}
	_, token, _, err := a.CreateToken("alice", "ci")
	if err != nil {
		t.Fatal(err)
	}
	known := core.Credentials{Username: "alice", Password: core.NewSecret("password")}
	if _, err := a.Authenticate(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	for range hashers {
		a.hashing <- struct{}{} // by somebody who tries passwords
	}
	impatient, leave := context.WithCancel(t.Context())
	leave() // whoever has to wait for a turn gives up at once
	for _, c := range []core.Credentials{known, {Username: "alice", Password: token}} {
		if _, err := a.Authenticate(impatient, c); err != nil {
			t.Errorf("got %v", err)
		}
	}
	if _, err := a.Authenticate(impatient, core.Credentials{Username: "alice", Password: core.NewSecret("wrong")}); !errors.Is(err, context.Canceled) {
		t.Errorf("a wrong password is compared without a turn: %v", err)
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
