package coretest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Accounts is users in memory. Its methods can be made to fail by their names.
type Accounts struct {
	Faults

	mu     sync.Mutex
	users  map[string]core.Secret
	emails map[string]string
	tokens map[string][]core.ThirdPartyToken
	api    map[string]map[string]core.Secret // API tokens of users by name
}

var (
	_ deploy.Accounts  = (*Accounts)(nil)
	_ auth.Accounts    = (*Accounts)(nil)
	_ connect.Accounts = (*Accounts)(nil)
)

// NewAccounts returns Accounts without users.
func NewAccounts() *Accounts {
	return &Accounts{
		users: map[string]core.Secret{}, emails: map[string]string{},
		tokens: map[string][]core.ThirdPartyToken{}, api: map[string]map[string]core.Secret{},
	}
}

// AddUser adds a user.
func (a *Accounts) AddUser(name string, password core.Secret) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users[name] = password
}

// Authenticate implements deploy.Accounts and auth.Accounts.
func (a *Accounts) Authenticate(ctx context.Context, c core.Credentials) (core.Account, error) {
	if err := errors.Join(ctx.Err(), a.next("Authenticate")); err != nil {
		return core.Account{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, token := range a.api[c.Username] {
		if token.Equal(c.Password) {
			return core.Account{Username: c.Username, Token: true}, nil
		}
	}
	if password, exists := a.users[c.Username]; !exists || !password.Equal(c.Password) {
		return core.Account{}, fmt.Errorf("accounts: authenticate: %w", core.ErrUnauthorized)
	}
	return core.Account{Username: c.Username}, nil
}

// Tokens implements deploy.Accounts and auth.Accounts.
func (a *Accounts) Tokens(ctx context.Context, user string, _ bool) ([]core.ThirdPartyToken, error) {
	if err := errors.Join(ctx.Err(), a.next("Tokens")); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, exists := a.users[user]; !exists {
		return nil, fmt.Errorf("accounts: tokens: %w", core.ErrNotFound)
	}
	return slices.Clone(a.tokens[user]), nil
}

// Users implements connect.Accounts.
func (a *Accounts) Users(ctx context.Context) ([]string, error) {
	if err := errors.Join(ctx.Err(), a.next("Users")); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.users)), nil
}

// FixTarget implements deploy.Accounts.
func (a *Accounts) FixTarget(ctx context.Context, user, id string, target core.Target) (core.Target, error) {
	if err := errors.Join(ctx.Err(), a.next("FixTarget")); err != nil {
		return core.Target{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, t := range a.tokens[user] {
		if t.ID != id {
			continue
		}
		if t.Target == nil {
			a.tokens[user] = slices.Clone(a.tokens[user])
			a.tokens[user][i].Target = &target
			return target, nil
		}
		return *t.Target, nil
	}
	return core.Target{}, fmt.Errorf("accounts: fix target: %w", core.ErrNotFound)
}

// SetToken implements auth.Accounts.
func (a *Accounts) SetToken(ctx context.Context, user string, t core.ThirdPartyToken) error {
	if err := errors.Join(ctx.Err(), a.next("SetToken")); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, exists := a.users[user]; !exists {
		return fmt.Errorf("accounts: set token: %w", core.ErrNotFound)
	}
	others := slices.DeleteFunc(a.tokens[user], func(other core.ThirdPartyToken) bool { return other.ID == t.ID })
	a.tokens[user] = append(others, t)
	return nil
}

// RemoveToken implements auth.Accounts.
func (a *Accounts) RemoveToken(ctx context.Context, user, id string) error {
	if err := errors.Join(ctx.Err(), a.next("RemoveToken")); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	before := len(a.tokens[user])
	a.tokens[user] = slices.DeleteFunc(slices.Clone(a.tokens[user]), func(t core.ThirdPartyToken) bool { return t.ID == id })
	if len(a.tokens[user]) == before {
		return fmt.Errorf("accounts: remove token: %w", core.ErrNotFound)
	}
	return nil
}

// APITokens implements auth.Accounts.
func (a *Accounts) APITokens(ctx context.Context, user string) ([]string, error) {
	if err := errors.Join(ctx.Err(), a.next("APITokens")); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.api[user])), nil
}

// CreateAPIToken implements auth.Accounts.
func (a *Accounts) CreateAPIToken(ctx context.Context, user, name string) (core.Secret, error) {
	if err := errors.Join(ctx.Err(), a.next("CreateAPIToken")); err != nil {
		return core.Secret{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.api[user] == nil {
		a.api[user] = map[string]core.Secret{}
	}
	token := core.NewSecret(rand.Text())
	a.api[user][name] = token
	return token, nil
}

// RemoveAPIToken implements auth.Accounts.
func (a *Accounts) RemoveAPIToken(ctx context.Context, user, name string) error {
	if err := errors.Join(ctx.Err(), a.next("RemoveAPIToken")); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, exists := a.api[user][name]; !exists {
		return fmt.Errorf("accounts: remove API token: %w", core.ErrNotFound)
	}
	delete(a.api[user], name)
	return nil
}

// UpdateUser implements auth.Accounts.
func (a *Accounts) UpdateUser(ctx context.Context, user string, password core.Secret, email string) error {
	if err := errors.Join(ctx.Err(), a.next("UpdateUser")); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, exists := a.users[user]; !exists {
		return fmt.Errorf("accounts: update user: %w", core.ErrNotFound)
	}
	if !password.IsZero() {
		a.users[user] = password
	}
	if email != "" {
		a.emails[user] = email
	}
	return nil
}

// Email returns the mail address of a user.
func (a *Accounts) Email(user string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.emails[user]
}
