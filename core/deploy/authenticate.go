package deploy

import (
	"context"
	"errors"
	"slices"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

// sender is who a delivery comes from, as far as that was authenticated.
type sender struct {
	user      string         // "" only for a report that a provider signed and that names no user
	signature core.Signature // of the provider
	secret    string         // id of the user's secret that signed the delivery; "" for none
	attended  bool           // by credentials, which a captured delivery need not have
	authentic bool           // as the user: by credentials or by the user's own secret
	target    *core.Target   // what the secret is for; nil if that is not fixed yet
}

// authenticate finds out who sent the delivery. Anyone may send one, so nothing
// of the payload is read before. AuthTimeout limits the whole.
func (s *Service) authenticate(ctx context.Context, r Request, p Provider) (sender, error) {
	ctx, cancel := context.WithTimeout(ctx, s.AuthTimeout)
	defer cancel()
	from := sender{user: r.User, signature: core.SignatureNone}
	if r.Credentials != nil {
		account, err := auth.Authenticate(ctx, s.Accounts, r.Credentials)
		if core.CodeOf(err) == core.CodeUnauthorized {
			err = core.NewError(core.CodeBadCreds, "", err)
		}
		if err != nil {
			return sender{}, err
		}
		if r.User != "" && r.User != account.Username {
			return sender{}, core.NewError(core.CodeBadCreds,
				"The parameter user names another user than your credentials; leave it out", nil)
		}
		from.user, from.attended, from.authentic = account.Username, true, true
	}
	if p == nil {
		if !from.authentic {
			return sender{}, core.NewError(core.CodeBadCreds, "", nil)
		}
		return from, nil
	}
	var err error
	if keys := s.Keys[p.Name()]; keys != nil {
		err = s.checkProviderKeys(ctx, r.Delivery, p, keys, &from)
	} else {
		err = s.checkSecrets(ctx, r.Delivery, p, &from)
	}
	if err != nil {
		return sender{}, err
	}
	return from, nil
}

// checkProviderKeys verifies a delivery that its provider signs with keys of its
// own. The signature alone authenticates the provider, which is enough for a
// report to release what its repository and commit hold already.
func (s *Service) checkProviderKeys(ctx context.Context, d core.Delivery, p Provider, source KeySource, from *sender) error {
	// Whether there is a signature at all is known without keys.
	from.signature, _ = p.Verify(d, nil)
	for _, missed := range []bool{false, true} {
		if from.signature == core.SignatureNone || from.signature == core.SignatureValid {
			break
		}
		keys, err := source.Keys(ctx, missed)
		if err != nil {
			s.Logger.WarnContext(ctx, "keys of provider unavailable", "provider", string(p.Name()), "error", err)
		}
		from.signature, _ = p.Verify(d, keys)
	}
	switch {
	case from.signature == core.SignatureInvalid:
		return core.NewError(core.CodeBadSignature, "", nil)
	case !from.authentic && from.signature != core.SignatureValid:
		return core.NewError(core.CodeBadCreds, "", nil)
	case !from.authentic:
		// Any customer of the provider has reports that it signed; naming a user
		// must not put them into that user's log.
		from.user = ""
	}
	return nil
}

// checkSecrets verifies a delivery that is signed with a user's webhook secret.
func (s *Service) checkSecrets(ctx context.Context, d core.Delivery, p Provider, from *sender) error {
	if from.user == "" {
		return core.NewError(core.CodeBadCreds, "", nil)
	}
	var secrets []core.Secret
	var hooks []core.ThirdPartyToken
	var signer int // in secrets and hooks
	required := false
	// A signature that doesn't match may be of a secret that was set just now.
	for _, fresh := range []bool{false, true} {
		tokens, err := s.Accounts.Tokens(ctx, from.user, fresh)
		if err != nil && !errors.Is(err, core.ErrNotFound) {
			return core.NewError(core.CodeAuthServerDown, "", err)
		}
		before := secrets
		if secrets, hooks, required = webhookSecrets(tokens); fresh && slices.EqualFunc(secrets, before, core.Secret.Equal) {
			break
		}
		if from.signature, signer = p.Verify(d, secrets); from.signature != core.SignatureInvalid {
			break
		}
	}
	switch {
	case from.signature == core.SignatureInvalid:
		return core.NewError(core.CodeBadSignature, "", nil)
	case required && from.signature == core.SignatureWeak:
		return core.NewError(core.CodeBadSignature,
			"You require a signature on every delivery, and this one is signed with SHA-1 alone, which is too weak; have it signed with SHA-256, or ask the operator for --github-sha1", nil)
	case required && from.signature != core.SignatureValid:
		return core.NewError(core.CodeBadSignature,
			"You require a signature on every delivery, and this one has none; set the secret of the webhook", nil)
	case from.signature == core.SignatureValid:
		from.authentic, from.secret, from.target = true, hooks[signer].ID, hooks[signer].Target
	case !from.authentic:
		return core.NewError(core.CodeBadCreds, "", nil)
	}
	return nil
}

// webhookSecrets returns the secrets among tokens with their tokens, and whether one
// of them requires a signature.
func webhookSecrets(tokens []core.ThirdPartyToken) (secrets []core.Secret, hooks []core.ThirdPartyToken, required bool) {
	for _, t := range tokens {
		if t.Provider == core.TokenWebhookSecret {
			secrets, hooks = append(secrets, t.Token), append(hooks, t)
			required = required || t.Required
		}
	}
	return secrets, hooks, required
}
