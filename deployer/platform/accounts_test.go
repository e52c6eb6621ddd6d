package platform_test

import (
	"errors"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform"
)

// Accounts in the same process behave as they do over HTTP, and see each change
// at once.
func TestAccountsInTheProcess(t *testing.T) {
	t.Parallel()
	b := prepare(t, platform.Options{})
	accounts := b.Accounts()
	given := core.Credentials{Username: "me", Password: core.NewSecret("password")}
	if _, err := accounts.Authenticate(t.Context(), given); err == nil {
		t.Error("authenticated before the start")
	} else if _, again := core.Retryable(err); !again {
		t.Errorf("before the start: %v", err)
	}
	b.start()
	me := b.user("me")
	token, err := me.CreateToken(t.Context(), "me", "ci")
	b.ok(err)
	for what, c := range map[string]struct {
		core.Credentials
		want bool
	}{
		"password":         {given, true},
		"API token":        {core.Credentials{Username: "me", Password: token}, true},
		"wrong password":   {core.Credentials{Username: "me", Password: core.NewSecret("wrong")}, false},
		"unknown user":     {core.Credentials{Username: "unknown", Password: core.NewSecret("password")}, false},
		"the service user": {core.Credentials{Username: core.ServiceUser, Password: b.Key()}, false},
	} {
		account, err := accounts.Authenticate(t.Context(), c.Credentials)
		if c.want && (err != nil || account.Username != "me") || !c.want && !errors.Is(err, core.ErrUnauthorized) {
			t.Errorf("%s: %v, %v", what, account, err)
		}
	}
	b.ok(me.DestroyToken(t.Context(), "me", "ci"))
	if _, err := accounts.Authenticate(t.Context(), core.Credentials{Username: "me", Password: token}); !errors.Is(err, core.ErrUnauthorized) {
		t.Errorf("a token that was removed: %v", err)
	}

	hook := core.ThirdPartyToken{ID: "hook", Provider: core.TokenWebhookSecret, App: core.AnyApp, Token: core.NewSecret("one")}
	b.ok(accounts.SetToken(t.Context(), "me", hook))
	for _, secret := range []core.Secret{core.NewSecret("two"), core.NewSecret("three")} {
		if _, err := accounts.Tokens(t.Context(), "me", false); err != nil { // and caches them
			t.Error(err)
		}
		hook.Token = secret
		b.ok(me.SetThirdPartyToken(t.Context(), "me", hook))
		if tokens, err := accounts.Tokens(t.Context(), "me", false); err != nil || len(tokens) != 1 || !tokens[0].Token.Equal(secret) {
			t.Errorf("%d tokens, %v", len(tokens), err)
		}
	}
	for what, target := range map[string]core.Target{"first": {App: "one"}, "second": {App: "two", Paths: []string{"lib"}}} {
		before, _ := accounts.Tokens(t.Context(), "me", false)
		fixed, err := accounts.FixTarget(t.Context(), "me", "hook", target)
		tokens, _ := b.service.ThirdPartyTokens(t.Context(), "me")
		if err != nil || len(tokens) != 1 || tokens[0].Target == nil || !fixed.Equal(*tokens[0].Target) || !tokens[0].Token.Equal(hook.Token) {
			t.Errorf("%s target: got %s, %v; the tokens are %+v", what, fixed, err, tokens)
		}
		if before[0].Target == nil && !fixed.Equal(target) || before[0].Target != nil && !fixed.Equal(*before[0].Target) {
			t.Errorf("%s target: got %s after %s", what, fixed, before[0].Target)
		}
	}
	for _, target := range []core.Target{{}, {App: "../x"}} {
		if _, err := accounts.FixTarget(t.Context(), "me", "unknown", target); err == nil {
			t.Errorf("fixed %s for an unknown secret", target)
		}
	}
	b.ok(b.service.DestroyUser(t.Context(), "me"))
	if _, err := accounts.Authenticate(t.Context(), given); !errors.Is(err, core.ErrUnauthorized) {
		t.Errorf("a removed user: %v", err)
	}
	if _, err := accounts.Tokens(t.Context(), "me", false); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("tokens of a removed user: %v", err)
	}
	if err := accounts.SetToken(t.Context(), "me", hook); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a token for a removed user: %v", err)
	}
}
