package auth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

type fakeAccounts struct {
	auth.Accounts // panics for what a test does not set

	authenticate func(ctx context.Context, c core.Credentials) (core.Account, error)
	tokens       func(user string) ([]core.ThirdPartyToken, error)
	setToken     func(user string, t core.ThirdPartyToken) error
}

func (a fakeAccounts) Authenticate(ctx context.Context, c core.Credentials) (core.Account, error) {
	return a.authenticate(ctx, c)
}

func (a fakeAccounts) Tokens(_ context.Context, user string, _ bool) ([]core.ThirdPartyToken, error) {
	return a.tokens(user)
}

func (a fakeAccounts) SetToken(_ context.Context, user string, t core.ThirdPartyToken) error {
	return a.setToken(user, t)
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	given := &core.Credentials{Username: "dscape", Password: core.NewSecret("secret")}
	cases := []struct {
		name    string
		given   *core.Credentials
		account string
		fail    error
		user    string
		want    core.Code
	}{
		{"the user", given, "dscape", nil, "dscape", ""},
		{"another user", given, "dscape", nil, "indexzero", core.CodeNotYou},
		{"names are case-sensitive", given, "dscape", nil, "DSCAPE", core.CodeNotYou},
		{"no credentials", nil, "dscape", nil, "dscape", core.CodeUnauthorized},
		{"wrong", given, "", fmt.Errorf("nodejitsu: %w", core.ErrUnauthorized), "dscape", core.CodeUnauthorized},
		{"the accounts are down", given, "", errors.New("connection refused"), "dscape", core.CodeAuthServerDown},
		{"an account without a name", given, "", nil, "", core.CodeNoUsername},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := auth.New(auth.Options{Accounts: fakeAccounts{authenticate: func(_ context.Context, got core.Credentials) (core.Account, error) {
				if got.Username != given.Username || !got.Password.Equal(given.Password) {
					t.Errorf("Authenticate got other credentials")
				}
				return core.Account{Username: c.account}, c.fail
			}}})
			account, err := s.Authorize(t.Context(), c.given, c.user)
			if core.CodeOf(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if err == nil && account.Username != c.user {
				t.Errorf("got the account %q", account.Username)
			}
		})
	}
}

func TestAccountsHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := auth.New(auth.Options{Timeout: 3 * time.Second, Accounts: fakeAccounts{
			authenticate: func(ctx context.Context, _ core.Credentials) (core.Account, error) {
				<-ctx.Done()
				return core.Account{}, ctx.Err()
			},
		}})
		began := time.Now()
		_, err := s.Authenticate(t.Context(), &core.Credentials{Username: "dscape"})
		if core.CodeOf(err) != core.CodeAuthServerDown || time.Since(began) != 3*time.Second {
			t.Errorf("got %v after %s, want %s after 3 s", err, time.Since(began), core.CodeAuthServerDown)
		}
	})
}
