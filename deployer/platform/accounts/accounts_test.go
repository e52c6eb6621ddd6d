package accounts_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
)

const service = "webhooks"

var (
	password = core.NewSecret("canary password")
	key      = core.NewSecret("canary key")
)

// fixture holds the Accounts under test, with a clock that the test sets.
type fixture struct {
	*accounts.Accounts
	t    *testing.T
	path string

	mu  sync.Mutex
	now time.Time
}

func setup(t *testing.T) *fixture {
	t.Helper()
	b := &fixture{t: t, path: filepath.Join(t.TempDir(), "db"), now: time.Unix(1e9, 0)}
	db, err := bbolt.Open(b.path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	keys, err := seal.Parse(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	b.Accounts, err = accounts.New(accounts.Options{DB: db, Seal: keys, ServiceUser: service, Key: key, Now: b.time})
	if err != nil {
		t.Fatal(err)
	}
	b.ok(b.Create(t.Context(), "alice", password, "alice@example.org"))
	return b
}

func (b *fixture) time() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *fixture) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *fixture) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// is checks whom the credentials authenticate; the zero Identity means none.
func (b *fixture) is(username string, given core.Secret, want accounts.Identity) {
	b.t.Helper()
	who, err := b.Authenticate(b.t.Context(), core.Credentials{Username: username, Password: given})
	if want == (accounts.Identity{}) {
		if core.CodeOf(err) != core.CodePlatformUnauthorized || strings.Contains(err.Error(), "canary") {
			b.t.Errorf("%s: %+v, %v; want no identity", username, who, err)
		}
		return
	}
	if err != nil || who != want {
		b.t.Errorf("%s: %+v, %v; want %+v", username, who, err, want)
	}
}

var (
	none  accounts.Identity
	alice = accounts.Identity{Username: "alice"}
)

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ok(b.Create(t.Context(), "bob", core.NewSecret("another"), ""))
	_, token, replaced, err := b.CreateToken("alice", "ci")
	if err != nil || replaced || len(token.Reveal()) != 64 {
		t.Fatal(err, replaced, len(token.Reveal()))
	}
	b.is("alice", password, alice)
	b.is("alice", token, accounts.Identity{Username: "alice", Token: true})
	b.is(service, key, accounts.Identity{Username: service, Service: true})
	for username, given := range map[string]core.Secret{
		"bob": password, "alice": core.NewSecret("another"), "Alice": password, "": password, "unknown": password, service: core.NewSecret("canary keys"), "ali": token,
	} {
		b.is(username, given, none)
	}
	b.is("bob", token, none)
	b.is("alice", core.Secret{}, none)
	b.is("alice", core.NewSecret(password.Reveal()+strings.Repeat("x", 1024)), none)
	b.ok(b.DestroyToken("alice", "ci"))
	b.is("alice", token, none)
}

// Verified credentials are cached until the user changes.
func TestChangeDropsCachedCredentials(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.is("alice", password, alice)
	b.is("alice", password, alice)               // remembered
	b.is("alice", core.NewSecret("wrong"), none) // a cached password must not let others in
	b.is("alice", password, alice)
	b.ok(b.Update(t.Context(), "alice", core.NewSecret("new password"), ""))
	b.is("alice", password, none)
	b.is("alice", core.NewSecret("new password"), alice)
	b.pass(time.Hour)
	b.is("alice", core.NewSecret("new password"), alice)
	b.ok(b.Destroy("alice"))
	b.is("alice", core.NewSecret("new password"), none)
	b.ok(b.Create(t.Context(), "alice", core.NewSecret("third"), ""))
	b.is("alice", core.NewSecret("new password"), none)
	b.is("alice", core.NewSecret("third"), alice)
}

// A caller whose context ends releases its hashing slot.
func TestCancelledCallerReleasesSlot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gone, leave := context.WithCancel(t.Context())
	leave()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, _ = b.Authenticate(gone, core.Credentials{Username: "alice", Password: core.NewSecret("wrong")})
		})
	}
	all.Wait()
	b.is("alice", password, alice)
}

// The database file has no passwords or tokens in plain text.
func TestNoPlainSecretsInFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, token, _, err := b.CreateToken("alice", "")
	b.ok(err)
	third := core.ThirdPartyToken{ID: "github", Provider: core.TokenGitHub, Login: "al", Scopes: []string{"repo"}, Token: core.NewSecret("ghp_canary"), Required: true}
	b.ok(b.SetThirdParty("alice", third))
	text, err := os.ReadFile(b.path)
	b.ok(err)
	for _, secret := range []string{"canary", token.Reveal()} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the file contains %q", secret)
		}
	}
	if !strings.Contains(string(text), "$argon2id$") {
		t.Error("no password is hashed with argon2id")
	}
	tokens, err := b.ThirdParty("alice")
	b.ok(err)
	third.App = core.AnyApp
	if len(tokens) != 1 || !tokens[0].Token.Equal(third.Token) || tokens[0].App != third.App || !tokens[0].Required {
		t.Errorf("got %d tokens: %+v", len(tokens), tokens)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	for name, c := range map[string]struct {
		err  error
		want core.Code
	}{
		"duplicate name":                       {b.Create(ctx, "alice", core.NewSecret("x"), ""), core.CodePlatformUserConflict},
		"path traversal in name":               {b.Create(ctx, "../alice", core.NewSecret("x"), ""), core.CodePlatformInvalid},
		"no password":                          {b.Create(ctx, "bob", core.Secret{}, ""), core.CodePlatformInvalid},
		"password too long":                    {b.Create(ctx, "bob", core.NewSecret(strings.Repeat("x", 1025)), ""), core.CodePlatformInvalid},
		"email with a line break":              {b.Create(ctx, "bob", core.NewSecret("x"), "a@b\r\nBcc: c@d"), core.CodePlatformInvalid},
		"update of an unknown user":            {b.Update(ctx, "bob", core.NewSecret("x"), ""), core.CodePlatformUserNotFound},
		"destroy an unknown user":              {b.Destroy("bob"), core.CodePlatformUserNotFound},
		"token of an unknown user":             {b.DestroyToken("bob", "ci"), core.CodePlatformTokenNotFound},
		"third-party token without a token":    {b.SetThirdParty("alice", core.ThirdPartyToken{ID: "a", Provider: "b"}), core.CodePlatformInvalid},
		"third-party token of an unknown user": {b.SetThirdParty("bob", core.ThirdPartyToken{ID: "a", Provider: "b", Token: core.NewSecret("c")}), core.CodePlatformUserNotFound},
	} {
		if core.CodeOf(c.err) != c.want {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if taken, err := b.EmailTaken("ALICE@example.org"); err != nil || !taken {
		t.Errorf("alice's address is taken: %t, %v", taken, err)
	}
	if users, err := b.List(); err != nil || len(users) != 1 || users[0].Username != "alice" || users[0].Email != "alice@example.org" {
		t.Errorf("users %+v, %v", users, err)
	}
}

func TestTokenLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 100 {
		if _, _, _, err := b.CreateToken("alice", ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err := b.CreateToken("alice", "more"); core.CodeOf(err) != core.CodePlatformTokenConflict {
		t.Errorf("token 101: %v", err)
	}
	names, err := b.Tokens("alice")
	b.ok(err)
	for name, shown := range names {
		if len(shown) > 10 {
			t.Errorf("%s is shown as %q", name, shown)
		}
		if _, _, replaced, err := b.CreateToken("alice", name); err != nil || !replaced {
			t.Errorf("token with the same name: replaced %t, %v", replaced, err)
		}
		break
	}
}
