package auth_test

import (
	"errors"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

func TestAddWebhookSecret(t *testing.T) {
	t.Parallel()
	known := []core.ThirdPartyToken{{ID: "github", Provider: core.TokenGitHub}, {ID: "old", Provider: core.TokenWebhookSecret}}
	for name, c := range map[string]struct {
		secret   string
		target   core.Target
		read     error
		write    error
		want     core.Code
		targeted bool
	}{
		"a new one":                      {secret: "new"},
		"for a branch":                   {secret: "new", target: core.Target{Branch: "staging"}, targeted: true},
		"with the name of a secret":      {secret: "old", want: core.CodeAccountConflict},
		"with the name of another token": {secret: "github", want: core.CodeAccountConflict},
		"with an invalid name":           {secret: "a b", want: core.CodeAuthParams},
		"for an invalid app":             {secret: "new", target: core.Target{App: "a b"}, want: core.CodeAuthParams},
		"the platform can't be read":     {secret: "new", read: errors.New("down"), want: core.CodeGetUserFailed},
		"the platform can't be written":  {secret: "new", write: errors.New("down"), want: core.CodeUpdateUserFailed},
	} {
		var kept core.ThirdPartyToken
		s := auth.New(auth.Options{NewSecret: func() string { return "tr0ub4dor" }, Accounts: fakeAccounts{
			tokens: func(string) ([]core.ThirdPartyToken, error) { return known, c.read },
			setToken: func(user string, t core.ThirdPartyToken) error {
				if user == "dscape" {
					kept = t
				}
				return c.write
			},
		}})
		added := auth.WebhookSecret{Name: c.secret}
		if !c.target.IsZero() {
			added.Target = &c.target
		}
		secret, err := s.AddWebhookSecret(t.Context(), "dscape", added, false)
		if core.CodeOf(err) != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if err == nil && (secret.Reveal() != "tr0ub4dor" || !kept.Token.Equal(secret) || kept.ID != c.secret ||
			kept.Provider != core.TokenWebhookSecret || (kept.Target != nil) != c.targeted) {
			t.Errorf("%s: kept %+v", name, kept)
		}
	}
	s := auth.New(auth.Options{Accounts: fakeAccounts{tokens: func(string) ([]core.ThirdPartyToken, error) { return known, nil }}})
	if secrets, err := s.WebhookSecrets(t.Context(), "dscape"); err != nil || len(secrets) != 1 || secrets[0].Name != "old" {
		t.Errorf("got %v, %v", secrets, err)
	}
}
