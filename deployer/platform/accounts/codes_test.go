package accounts_test

import (
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

func TestCodes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	refused := func(what string, err error) {
		t.Helper()
		if core.CodeOf(err) != core.CodePlatformWrongCode {
			t.Errorf("%s: %v", what, err)
		}
	}
	redeem := func(user string, code core.Secret) error {
		return b.Redeem(t.Context(), user, code, core.NewSecret("another password"))
	}
	refused("no code yet", redeem("alice", core.Secret{}))
	if _, err := b.Invite("bob"); core.CodeOf(err) != core.CodePlatformUserNotFound {
		t.Errorf("invite of an unknown user: %v", err)
	}
	old, err := b.Invite("alice")
	b.ok(err)
	code, err := b.Invite("alice")
	b.ok(err)
	refused("a replaced code", redeem("alice", old))
	refused("a wrong code", redeem("alice", core.NewSecret(code.Reveal()+"x")))
	refused("code of another user", redeem("bob", code))
	b.ok(b.Invited("alice", code))
	b.ok(b.Invited("alice", code)) // to ask uses nothing up
	if err := b.Redeem(t.Context(), "alice", code, core.Secret{}); core.CodeOf(err) != core.CodePlatformInvalid {
		t.Errorf("no password: %v", err)
	}
	who, err := b.Authenticate(t.Context(), core.Credentials{Username: "alice", Password: password})
	if b.ok(err); who.Username != "alice" {
		t.Errorf("it opens as %+v", who)
	}
	b.ok(redeem("alice", code))
	refused("a code that was used", redeem("alice", code))
	if _, err := b.Authenticate(t.Context(), core.Credentials{Username: "alice", Password: password}); core.CodeOf(err) != core.CodePlatformUnauthorized {
		t.Errorf("the old password: %v", err)
	}
	_, err = b.Authenticate(t.Context(), core.Credentials{Username: "alice", Password: core.NewSecret("another password")})
	b.ok(err)

	late, err := b.Invite("alice")
	b.ok(err)
	b.pass(24*time.Hour + time.Second)
	refused("a code after a day", redeem("alice", late))
	left, err := b.Invite("alice")
	b.ok(err)
	b.ok(b.Destroy("alice"))
	b.ok(b.Create(t.Context(), "alice", password, ""))
	refused("a code of a user before", redeem("alice", left))
}
