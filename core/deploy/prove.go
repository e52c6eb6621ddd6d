package deploy

import (
	"context"
	"errors"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// sender is who a delivery comes from, as far as that was proved.
type sender struct {
	user      string         // "" only for a signed report of Travis CI that names nobody
	signature core.Signature // of the provider
	secret    string         // id of the user's secret that signed it; "" for none
	attended  bool           // by credentials, which a captured delivery need not have
	proved    bool           // to be the user: by credentials or by the user's own secret
}

// prove finds out who sent the delivery. Anyone may send one to be judged
// here, so nothing of the payload is read before. The sender waits only so long,
// so all that is asked for it has one time limit.
func (s *Service) prove(ctx context.Context, r Request, p Provider) (sender, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.AuthTimeout)
	defer cancel()
	from := sender{user: r.User, signature: core.SignatureNone}
	if r.Credentials != nil {
		account, err := s.authenticate(ctx, *r.Credentials)
		if err != nil {
			return sender{}, err
		}
		if r.User != "" && r.User != account.Username {
			return sender{}, core.NewError(core.CodeBadCreds,
				"The parameter user names somebody else than your credentials; leave it out", nil)
		}
		from.user, from.attended, from.proved = account.Username, true, true
	}
	if p == nil && !from.proved {
		return sender{}, core.NewError(core.CodeBadCreds, "", nil)
	}
	var err error
	switch {
	case p == nil:
	case p.Name() == core.ProviderTravis:
		err = s.checkTravis(ctx, r.Delivery, p, &from)
	default:
		err = s.checkSecrets(ctx, r.Delivery, p, &from)
	}
	if err != nil {
		return sender{}, err
	}
	return from, nil
}

func (s *Service) authenticate(ctx context.Context, c core.Credentials) (core.Account, error) {
	account, err := s.o.Accounts.Authenticate(ctx, c)
	switch {
	case errors.Is(err, core.ErrUnauthorized):
		return core.Account{}, core.NewError(core.CodeBadCreds, "", err)
	case err != nil:
		return core.Account{}, core.NewError(core.CodeAuthServerDown, "", err)
	case account.Username == "":
		return core.Account{}, core.NewError(core.CodeNoUsername, "", nil)
	}
	return account, nil
}

// checkTravis judges a report of Travis CI: its signature alone proves that
// Travis says so, which is enough to release what that repository and commit
// hold already.
func (s *Service) checkTravis(ctx context.Context, d core.Delivery, p Provider, from *sender) error {
	// Without a signature nobody needs to be asked for keys.
	from.signature, _ = p.Verify(d, nil)
	for _, missed := range []bool{false, true} {
		if from.signature == core.SignatureNone || from.signature == core.SignatureValid {
			break
		}
		keys, err := s.o.TravisKeys(ctx, missed)
		if err != nil {
			s.o.Logger.WarnContext(ctx, "travis keys unavailable", "error", err)
		}
		from.signature, _ = p.Verify(d, keys)
	}
	switch {
	case from.signature == core.SignatureInvalid:
		return core.NewError(core.CodeBadSignature, "", nil)
	case !from.proved && from.signature != core.SignatureValid:
		return core.NewError(core.CodeBadCreds, "", nil)
	case !from.proved:
		// Any customer of Travis CI has reports that are signed; naming
		// somebody must not put them into that one's log.
		from.user = ""
	}
	return nil
}

// checkSecrets judges a delivery that is signed with a webhook secret.
func (s *Service) checkSecrets(ctx context.Context, d core.Delivery, p Provider, from *sender) error {
	if from.user == "" {
		return core.NewError(core.CodeBadCreds, "", nil)
	}
	var secrets []core.Secret
	var ids []string
	var signer int // in secrets and ids
	required := false
	// A signature that doesn't match may be of a secret that was set just now.
	for _, fresh := range []bool{false, true} {
		tokens, err := s.o.Accounts.Tokens(ctx, from.user, fresh)
		if err != nil && !errors.Is(err, core.ErrNotFound) {
			return core.NewError(core.CodeAuthServerDown, "", err)
		}
		before := secrets
		if secrets, ids, required = webhookSecrets(tokens); fresh && slices.EqualFunc(secrets, before, core.Secret.Equal) {
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
			"You ask for a signature on every delivery, and this one is signed with SHA-1 alone, which is not believed here; have it signed with SHA-256, or ask the operator for --github-sha1", nil)
	case required && from.signature != core.SignatureValid:
		return core.NewError(core.CodeBadSignature,
			"You ask for a signature on every delivery, and this one has none; set the webhook's secret on GitHub", nil)
	case from.signature == core.SignatureValid:
		from.proved, from.secret = true, ids[signer]
	case !from.proved:
		return core.NewError(core.CodeBadCreds, "", nil)
	}
	return nil
}

// webhookSecrets returns the secrets among tokens with their ids, and whether one of
// them requires a signature.
func webhookSecrets(tokens []core.ThirdPartyToken) (secrets []core.Secret, ids []string, required bool) {
	for _, t := range tokens {
		if t.Provider == core.TokenWebhookSecret {
			secrets, ids = append(secrets, t.Token), append(ids, t.ID)
			required = required || t.Required
		}
	}
	return secrets, ids, required
}
