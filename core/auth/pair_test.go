package auth_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

type fakeLogin func(token core.Secret) (login string, scopes []string, err error)

func (f fakeLogin) Login(_ context.Context, token core.Secret) (string, []string, error) {
	return f(token)
}

const token = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"

// github returns GitHub as a forge that knows tokens as login does.
func github(login fakeLogin) auth.Forge {
	return auth.Forge{
		Kind: "github", Host: core.GitHubHost, Name: "GitHub", Help: "GitHub takes no passwords; make a token in its settings",
		IsToken: func(text string) bool { return strings.HasPrefix(text, "ghp_") },
		Failed:  core.CodeGitHubPairingFailed, Login: login,
	}
}

func TestPair(t *testing.T) {
	t.Parallel()
	refused := fmt.Errorf("github: %w", core.ErrUnauthorized)
	down := errors.New("connection refused")
	cases := []struct {
		name, credentials, app        string
		kind, host                    string
		login                         string
		loginErr, tokensErr, writeErr error
		want                          core.Code
		reason                        string // a part of it
	}{
		{name: "paired", credentials: "dscape:" + token, login: "dscape"},
		{name: "for one app", credentials: "dscape:" + token, app: "hello", login: "dscape"},
		{name: "with the host", credentials: "dscape:" + token, host: "GitHub.com", login: "dscape"},
		{name: "logins have no case", credentials: "DsCape:" + token, login: "dscape"},
		{name: "a token with a colon", credentials: "dscape:a:b", login: "dscape"},
		{name: "no credentials", credentials: "", want: core.CodeNoCredentials},
		{name: "no colon", credentials: token, want: core.CodeBadCredentials},
		{name: "no login", credentials: ":" + token, want: core.CodeBadCredentials},
		{name: "no token", credentials: "dscape:", want: core.CodeBadCredentials},
		{name: "not an app's name", credentials: "dscape:" + token, app: "../x", want: core.CodeAuthParams, reason: `invalid app name "../x"`},
		{name: "a forge that is not configured", credentials: "dscape:" + token, kind: "gitlab", want: core.CodeAuthForgeUnknown, reason: `"gitlab"`},
		{name: "a host that is not configured", credentials: "dscape:" + token, host: "ghe.example", want: core.CodeAuthForgeUnknown, reason: "ghe.example"},
		{name: "a password", credentials: "dscape:hunter2", loginErr: refused, want: core.CodeGitHubPairingFailed, reason: "no passwords"},
		{name: "what cannot be a token", credentials: "dscape:correct horse", login: "dscape", want: core.CodeGitHubPairingFailed, reason: "no passwords"},
		{name: "an expired token", credentials: "dscape:" + token, loginErr: refused, want: core.CodeGitHubPairingFailed, reason: "expired"},
		{name: "another user's token", credentials: "dscape:" + token, login: "indexzero", want: core.CodeGitHubPairingFailed, reason: "another GitHub user"},
		{name: "GitHub is down", credentials: "dscape:" + token, loginErr: down, want: core.CodeGitHubPairingFailed, reason: "try again"},
		{name: "reading fails", credentials: "dscape:" + token, login: "dscape", tokensErr: down, want: core.CodeGetUserFailed},
		{name: "writing fails", credentials: "dscape:" + token, login: "dscape", writeErr: down, want: core.CodeUpdateUserFailed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var kept []core.ThirdPartyToken
			_, secret, _ := strings.Cut(c.credentials, ":")
			s := auth.New(auth.Options{
				Accounts: fakeAccounts{
					tokens: func(string) ([]core.ThirdPartyToken, error) { return nil, c.tokensErr },
					setToken: func(user string, got core.ThirdPartyToken) error {
						if user != "nodejitsu-user" {
							t.Errorf("SetToken for %q", user)
						}
						kept = append(kept, got)
						return c.writeErr
					},
				},
				Forges: []auth.Forge{github(func(got core.Secret) (string, []string, error) {
					if got.Reveal() != secret {
						t.Error("GitHub was asked about another token")
					}
					return c.login, []string{"repo"}, c.loginErr
				})},
			})
			if c.kind == "" {
				c.kind = "github"
			}
			got, err := s.Pair(t.Context(), "nodejitsu-user", auth.Pair{Kind: c.kind, Host: c.host, Credentials: core.NewSecret(c.credentials), App: c.app})
			if core.CodeOf(err) != c.want {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if err != nil {
				if reason := core.AsError(err).Reason; !strings.Contains(reason, c.reason) || secret != "" && strings.Contains(err.Error(), secret) {
					t.Errorf("got the reason %q, want one with %q and without the token", reason, c.reason)
				}
				if len(kept) > 0 && c.writeErr == nil {
					t.Error("a token was kept")
				}
				return
			}
			app, id := core.AnyApp, "github-account"
			if c.app != "" {
				app, id = c.app, "github-account-"+c.app
			}
			if want := (auth.Pairing{Kind: "github", Host: core.GitHubHost, Login: c.login, Scopes: []string{"repo"}, App: app}); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			want := []core.ThirdPartyToken{{
				ID: id, Provider: core.TokenGitHub, Forge: core.GitHubHost, App: app, Login: c.login, Scopes: []string{"repo"}, Token: core.NewSecret(secret),
			}}
			if !reflect.DeepEqual(kept, want) {
				t.Errorf("kept %+v, want %+v", kept, want)
			}
		})
	}
}

// A new token replaces the one for the same forge and app, and no other.
func TestPairAgain(t *testing.T) {
	t.Parallel()
	cases := []struct {
		app  string
		have []core.ThirdPartyToken
		want string
	}{
		{"*", []core.ThirdPartyToken{{ID: "old", Provider: core.TokenGitHub, App: "*"}}, "old"},
		{"*", []core.ThirdPartyToken{{ID: "old", Provider: core.TokenGitHub, Forge: core.GitHubHost, App: "*"}}, "old"},
		{"*", []core.ThirdPartyToken{{ID: "old", Provider: core.TokenGitHub, Forge: "ghe.example", App: "*"}}, "github-account"},
		{"hello", []core.ThirdPartyToken{{ID: "old", Provider: core.TokenGitHub, App: "*"}}, "github-account-hello"},
		{"*", []core.ThirdPartyToken{{ID: "github-account", Provider: core.TokenWebhookSecret, App: "*"}}, "github-account-2"},
		{"*", []core.ThirdPartyToken{{ID: "github-account", Provider: core.TokenWebhookSecret}, {ID: "github-account-2", Provider: "x"}}, "github-account-3"},
	}
	for _, c := range cases {
		var got string
		s := auth.New(auth.Options{
			Accounts: fakeAccounts{
				tokens:   func(string) ([]core.ThirdPartyToken, error) { return c.have, nil },
				setToken: func(_ string, t core.ThirdPartyToken) error { got = t.ID; return nil },
			},
			Forges: []auth.Forge{github(func(core.Secret) (string, []string, error) { return "dscape", nil, nil })},
		})
		if _, err := s.Pair(t.Context(), "dscape", auth.Pair{Kind: "github", Credentials: core.NewSecret("dscape:" + token), App: c.app}); err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("for app %s with %+v the ID is %q, want %q", c.app, c.have, got, c.want)
		}
	}
}
