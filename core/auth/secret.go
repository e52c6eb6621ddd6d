package auth

import (
	"context"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// Forges returns the forges that accounts can be paired with.
func (s *Service) Forges() []Forge { return slices.Clone(s.o.Forges) }

// WebhookSecret is a secret that a forge signs deliveries with, without the secret.
type WebhookSecret struct {
	Name     string       `json:"name"`
	Required bool         `json:"required"`         // deliveries that are not signed are refused
	Target   *core.Target `json:"target,omitempty"` // what its deliveries deploy; nil: what the first one says
}

// WebhookSecrets returns the user's webhook secrets by name. It fails with
// [core.CodeGetUserFailed].
func (s *Service) WebhookSecrets(ctx context.Context, user string) ([]WebhookSecret, error) {
	tokens, err := s.tokensOf(ctx, user, core.TokenWebhookSecret)
	if err != nil {
		return nil, err
	}
	secrets := []WebhookSecret{}
	for _, t := range tokens {
		secrets = append(secrets, WebhookSecret{t.ID, t.Required, t.Target})
	}
	return secrets, nil
}

// AddWebhookSecret makes a webhook secret, which can't be read again. It fails with
// [core.CodeAccountConflict] if the user has a token of that name, unless that is a
// webhook secret and replace is set, and with [core.CodeAuthParams],
// [core.CodeGetUserFailed] and [core.CodeUpdateUserFailed].
func (s *Service) AddWebhookSecret(ctx context.Context, user string, w WebhookSecret, replace bool) (core.Secret, error) {
	if w.Target != nil {
		if err := w.Target.Validate(); err != nil {
			return core.Secret{}, core.Errorf(core.CodeAuthParams, "%v", err)
		}
	}
	secret := core.NewSecret(s.o.NewSecret())
	return secret, s.add(ctx, user, "secret", core.ThirdPartyToken{
		ID: w.Name, Provider: core.TokenWebhookSecret, App: core.AnyApp, Token: secret, Required: w.Required, Target: w.Target,
	}, replace)
}

// ChangeSecret changes what the deliveries of a webhook secret deploy; nil is what the
// next one says. It fails with [core.CodeAuthParams], [core.CodeAccountNotFound],
// [core.CodeGetUserFailed] and [core.CodeUpdateUserFailed].
func (s *Service) ChangeSecret(ctx context.Context, user, name string, t *core.Target) error {
	if t != nil {
		if err := t.Validate(); err != nil {
			return core.Errorf(core.CodeAuthParams, "%v", err)
		}
	}
	// Not while the secret is replaced: the old one would come back.
	s.changing.Lock()
	defer s.changing.Unlock()
	secret, err := s.token(ctx, user, core.TokenWebhookSecret, name)
	if err != nil {
		return err
	}
	secret.Target = t
	return s.write(ctx, func(ctx context.Context) error { return s.o.Accounts.SetToken(ctx, user, secret) })
}

// RemoveSecret removes a webhook secret. It fails with [core.CodeAccountNotFound],
// [core.CodeGetUserFailed] and [core.CodeUpdateUserFailed].
func (s *Service) RemoveSecret(ctx context.Context, user, name string) error {
	return s.remove(ctx, user, core.TokenWebhookSecret, name)
}
