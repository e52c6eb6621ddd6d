package platform

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
)

// Accounts gives the use cases in the same process access to the platform's
// accounts without an HTTP request.
type Accounts struct{ platform *Platform }

var (
	_ deploy.Accounts  = (*Accounts)(nil)
	_ auth.Accounts    = (*Accounts)(nil)
	_ connect.Accounts = (*Accounts)(nil)
)

// Accounts returns the platform's accounts. They work once Start has returned.
func (p *Platform) Accounts() *Accounts { return &Accounts{p} }

// Authenticate implements deploy.Accounts and auth.Accounts.
func (a *Accounts) Authenticate(ctx context.Context, c core.Credentials) (core.Account, error) {
	users, err := a.running()
	if err != nil {
		return core.Account{}, err
	}
	if c.Username == core.ServiceUser {
		return core.Account{}, fmt.Errorf("platform: %s is not an account: %w", c.Username, core.ErrUnauthorized)
	}
	who, err := users.Authenticate(ctx, c)
	if err != nil {
		return core.Account{}, classify(err)
	}
	return core.Account{Username: who.Username, Token: who.Token}, nil
}

// Tokens implements deploy.Accounts and auth.Accounts. They are always fresh.
func (a *Accounts) Tokens(_ context.Context, user string, _ bool) ([]core.ThirdPartyToken, error) {
	users, err := a.running()
	if err != nil {
		return nil, err
	}
	tokens, err := users.ThirdParty(user)
	return tokens, classify(err)
}

// Users implements connect.Accounts.
func (a *Accounts) Users(context.Context) ([]string, error) {
	users, err := a.running()
	if err != nil {
		return nil, err
	}
	list, err := users.List()
	if err != nil {
		return nil, classify(err)
	}
	names := make([]string, len(list))
	for i, u := range list {
		names[i] = u.Username
	}
	return names, nil
}

// FixTarget implements deploy.Accounts.
func (a *Accounts) FixTarget(_ context.Context, user, id string, t core.Target) (core.Target, error) {
	users, err := a.running()
	if err != nil {
		return core.Target{}, err
	}
	fixed, err := users.FixTarget(user, id, t)
	return fixed, classify(err)
}

// SetToken implements auth.Accounts.
func (a *Accounts) SetToken(_ context.Context, user string, t core.ThirdPartyToken) error {
	users, err := a.running()
	if err != nil {
		return err
	}
	return classify(users.SetThirdParty(user, t))
}

// RemoveToken implements auth.Accounts.
func (a *Accounts) RemoveToken(_ context.Context, user, id string) error {
	users, err := a.running()
	if err != nil {
		return err
	}
	return classify(users.DestroyThirdParty(user, id))
}

// APITokens implements auth.Accounts.
func (a *Accounts) APITokens(_ context.Context, user string) ([]string, error) {
	users, err := a.running()
	if err != nil {
		return nil, err
	}
	tokens, err := users.Tokens(user)
	return slices.Sorted(maps.Keys(tokens)), classify(err)
}

// CreateAPIToken implements auth.Accounts.
func (a *Accounts) CreateAPIToken(_ context.Context, user, name string) (core.Secret, error) {
	users, err := a.running()
	if err != nil {
		return core.Secret{}, err
	}
	_, token, _, err := users.CreateToken(user, name)
	return token, classify(err)
}

// RemoveAPIToken implements auth.Accounts.
func (a *Accounts) RemoveAPIToken(_ context.Context, user, name string) error {
	users, err := a.running()
	if err != nil {
		return err
	}
	return classify(users.DestroyToken(user, name))
}

// UpdateUser implements auth.Accounts.
func (a *Accounts) UpdateUser(ctx context.Context, user string, password core.Secret, email string) error {
	users, err := a.running()
	if err != nil {
		return err
	}
	return classify(users.Update(ctx, user, password, email))
}

func (a *Accounts) running() (*accounts.Accounts, error) {
	a.platform.mu.RLock()
	defer a.platform.mu.RUnlock()
	if a.platform.users == nil {
		return nil, core.Transient(errors.New("platform: not started"), 0)
	}
	return a.platform.users, nil
}

// classify wraps err with the error of core that use cases test for.
func classify(err error) error {
	switch core.CodeOf(err) {
	case core.CodePlatformUnauthorized:
		return fmt.Errorf("%w: %w", core.ErrUnauthorized, err)
	case core.CodePlatformUserNotFound, core.CodePlatformTokenNotFound:
		return fmt.Errorf("%w: %w", core.ErrNotFound, err)
	case core.CodePlatformBusy:
		return core.Transient(err, 0)
	}
	return err
}
