package auth

import (
	"context"
	"errors"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Options is what a Service is made of. The ports are required.
type Options struct {
	Accounts Accounts
	GitHub   GitHub

	Timeout time.Duration // for one call of a port; 10 s
}

// Service tells who somebody is. It may be used concurrently.
type Service struct{ o Options }

// New returns a Service.
func New(o Options) *Service {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	return &Service{o}
}

// Authenticate proves c; nil stands for none given. It fails with
// [core.CodeUnauthorized], with [core.CodeAuthServerDown] where it could not
// be found out, and with [core.CodeNoUsername].
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

// Authorize proves c and tells whether it is user's, whose things are asked
// for. It fails as Authenticate does, and with [core.CodeNotYou].
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
