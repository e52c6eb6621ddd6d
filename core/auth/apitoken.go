package auth

import (
	"context"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// APITokens returns the names of the user's API tokens, in order. It fails with
// [core.CodeGetUserFailed].
func (s *Service) APITokens(ctx context.Context, user string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	names, err := s.o.Accounts.APITokens(ctx, user)
	if err != nil {
		return nil, core.NewError(core.CodeGetUserFailed, "", err)
	}
	return names, nil
}

// AddAPIToken makes an API token, which can't be read again. It fails with
// [core.CodeAccountConflict] if there is one of that name, unless replace is set,
// and with [core.CodeAuthParams], [core.CodeGetUserFailed] and
// [core.CodeUpdateUserFailed].
func (s *Service) AddAPIToken(ctx context.Context, user, name string, replace bool) (token core.Secret, err error) {
	if err := checkName("token", name); err != nil {
		return core.Secret{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	names, err := s.APITokens(ctx, user)
	if err != nil {
		return core.Secret{}, err
	}
	if !replace && slices.Contains(names, name) {
		return core.Secret{}, core.NewError(core.CodeAccountConflict, "", nil)
	}
	err = s.write(ctx, func(ctx context.Context) error {
		token, err = s.o.Accounts.CreateAPIToken(ctx, user, name)
		return err
	})
	return token, err
}

// RemoveAPIToken removes an API token. It fails with [core.CodeAccountNotFound] and
// [core.CodeUpdateUserFailed].
func (s *Service) RemoveAPIToken(ctx context.Context, user, name string) error {
	return s.write(ctx, func(ctx context.Context) error { return s.o.Accounts.RemoveAPIToken(ctx, user, name) })
}
