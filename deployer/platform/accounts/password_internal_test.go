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

// A login of an unknown user takes as long as one of a known user: a password is
// hashed with the same parameters.
func TestUnknownUserCostsAHash(t *testing.T) {
	t.Parallel()
	compared := 0
	a := &Accounts{hashing: make(chan struct{}, 1), dummy: func() string {
		compared++
		return dummyHash()
	}}
	for _, password := range []core.Secret{{}, core.NewSecret("wrong")} { // the first is the dummy's password
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
		t.Errorf("parameters for an unknown user: %s, want %s", got, want)
	}
}

// Callers with a cached password or a token do not wait for passwords that are
// being hashed.
func TestHashingDoesNotBlockOthers(t *testing.T) {
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
		a.hashing <- struct{}{} // as if passwords were being guessed
	}
	impatient, leave := context.WithCancel(t.Context())
	leave() // a caller that has to wait for a slot fails at once
	for _, c := range []core.Credentials{known, {Username: "alice", Password: token}} {
		if _, err := a.Authenticate(impatient, c); err != nil {
			t.Errorf("got %v", err)
		}
	}
	if _, err := a.Authenticate(impatient, core.Credentials{Username: "alice", Password: core.NewSecret("wrong")}); !errors.Is(err, context.Canceled) {
		t.Errorf("a wrong password is compared without a slot: %v", err)
	}
}

// costs returns the parameters of a hash.
func costs(hash string) string {
	parts := strings.Split(hash, "$") // "", "argon2id", version, parameters, salt, key
	if len(parts) != 6 {
		return ""
	}
	return strings.Join(parts[:4], "$")
}
