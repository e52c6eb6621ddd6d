package auth

import (
	"context"
	"errors"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Options configure a Service. The ports are required.
type Options struct {
	Accounts Accounts
	GitHub   GitHub

	Timeout time.Duration // for one call of a port; 10 s
}

// Service authenticates and authorizes callers. It may be used concurrently.
type Service struct{ o Options }

// New returns a Service.
func New(o Options) *Service {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	return &Service{o}
}

// Authenticate verifies c, nil if the caller sent none. It fails with
// [core.CodeUnauthorized], with [core.CodeAuthServerDown] if c could not be
// verified, and with [core.CodeNoUsername].
func (s *Service) Authenticate(ctx context.Context, c *core.Credentials) (core.Account, error) {
	if c == nil {
		return core.Account{}, core.NewError(core.CodeUnauthorized, "", nil)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	account, err := s.o.Accounts.Authenticate(ctx, *c)
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
// with [core.CodeNotYou] for another user's credentials.
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
