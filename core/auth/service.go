package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Options configures a Service. Accounts is required.
type Options struct {
	Accounts Accounts
	Forges   []Forge // the first one of a kind is meant if no host is named

	// Messenger sends messages to chat services; nil: there are no notifications.
	Messenger Messenger

	Timeout   time.Duration // for one call of a port; 10 s
	NewSecret func() string // makes a secret that can't be guessed; crypto/rand.Text
}

// Service authenticates users. It may be used concurrently.
type Service struct {
	o        Options
	changing sync.Mutex // held from reading tokens to writing what depends on them
}

// New returns a Service.
func New(o Options) *Service {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.NewSecret == nil {
		o.NewSecret = rand.Text
	}
	if o.Messenger == nil {
		o.Messenger = noMessenger{}
	}
	return &Service{o: o}
}

// Authenticate verifies c, which is nil if there are no credentials. It fails with
// [core.CodeUnauthorized], with [core.CodeAuthServerDown] if it could not be
// found out, and with [core.CodeNoUsername].
func (s *Service) Authenticate(ctx context.Context, c *core.Credentials) (core.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	return Authenticate(ctx, s.o.Accounts, c)
}

// Authenticate verifies c as [Service.Authenticate] does, without its timeout.
func Authenticate(ctx context.Context, accounts Authenticator, c *core.Credentials) (core.Account, error) {
	if c == nil {
		return core.Account{}, core.NewError(core.CodeUnauthorized, "", nil)
	}
	account, err := accounts.Authenticate(ctx, *c)
	switch {
	case errors.Is(err, core.ErrUnauthorized):
		return core.Account{}, core.NewError(core.CodeUnauthorized, "", err)
	case err != nil:
		return core.Account{}, core.NewError(core.CodeAuthServerDown, "", err)
	case account.Username == "":
		return core.Account{}, core.NewError(core.CodeNoUsername, "", nil)
	}
	return account, nil
}

// Authorize verifies c and that it is user's. It fails as Authenticate does, and
// with [core.CodeNotYou].
func (s *Service) Authorize(ctx context.Context, c *core.Credentials, user string) (core.Account, error) {
	account, err := s.Authenticate(ctx, c)
	if err != nil {
		return core.Account{}, err
	}
	if account.Username != user {
		return core.Account{}, core.NewError(core.CodeNotYou, "", nil)
	}
	return account, nil
}
