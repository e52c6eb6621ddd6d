package auth

import (
	"context"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// Forges returns the forges that accounts can be paired with.
func (s *Service) Forges() []Forge { return slices.Clone(s.o.Forges) }

// Secrets returns the names of the user's webhook secrets, in order. It fails with
// [core.CodeGetUserFailed].
func (s *Service) Secrets(ctx context.Context, user string) ([]string, error) {
	tokens, err := s.tokens(ctx, user)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range tokens {
		if t.Provider == core.TokenWebhookSecret {
			names = append(names, t.ID)
		}
	}
	slices.Sort(names)
	return names, nil
}

// AddSecret makes a webhook secret of that name, whose deliveries ask for t; the
// zero Target is that of its first delivery. It replaces nothing: it fails with
// [core.CodeAuthParams] if the user has a token of that name, with
// [core.CodeGetUserFailed] and with [core.CodeUpdateUserFailed].
func (s *Service) AddSecret(ctx context.Context, user, name string, t core.Target) (core.Secret, error) {
	if err := core.CheckName("secret", name); err != nil {
		return core.Secret{}, core.Errorf(core.CodeAuthParams, "%v", err)
	}
	if err := t.Validate(); err != nil {
		return core.Secret{}, core.Errorf(core.CodeAuthParams, "%v", err)
	}
	tokens, err := s.tokens(ctx, user)
	if err != nil {
		return core.Secret{}, err
	}
	if slices.ContainsFunc(tokens, func(t core.ThirdPartyToken) bool { return t.ID == name }) {
		return core.Secret{}, core.Errorf(core.CodeAuthParams, "there is a secret or a token named %s already: choose another name", name)
	}
	secret := core.NewSecret(s.o.NewSecret())
	added := core.ThirdPartyToken{ID: name, Provider: core.TokenWebhookSecret, App: core.AnyApp, Token: secret}
	if !t.IsZero() {
		added.Target = &t
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	if err := s.o.Accounts.SetToken(ctx, user, added); err != nil {
		return core.Secret{}, core.NewError(core.CodeUpdateUserFailed, "", err)
	}
	return secret, nil
}

// tokens returns the user's third-party tokens.
func (s *Service) tokens(ctx context.Context, user string) ([]core.ThirdPartyToken, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	tokens, err := s.o.Accounts.Tokens(ctx, user, true)
	if err != nil {
		return nil, core.NewError(core.CodeGetUserFailed, "", err)
	}
	return tokens, nil
}
