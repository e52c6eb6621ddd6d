package auth

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// Pair is what a user's account is to be paired with.
type Pair struct {
	Kind        string // of the forge, such as "github"
	Host        string // of the forge; "" is the first one of that kind
	Credentials core.Secret
	App         string // the one app that the token may be used for; "" or core.AnyApp for all
}

// Pairing is a user's access token for a forge, without the token.
type Pairing struct {
	Kind   string
	Host   string
	Login  string   // as the forge spells it
	Scopes []string // nil if the forge does not say
	App    string   // core.AnyApp for all
}

// Pair keeps an access token for a forge as a third-party token of user. The
// credentials are "login:token"; the token is verified by asking the forge whose
// it is.
//
// It fails with [core.CodeNoCredentials], [core.CodeBadCredentials],
// [core.CodeAuthParams], [core.CodeAuthForgeUnknown], the forge's code of a failed
// pairing, [core.CodeGetUserFailed] and [core.CodeUpdateUserFailed].
func (s *Service) Pair(ctx context.Context, user string, p Pair) (Pairing, error) {
	forge, err := s.forge(p.Kind, p.Host)
	if err != nil {
		return Pairing{}, err
	}
	if p.Credentials.IsZero() {
		return Pairing{}, core.NewError(core.CodeNoCredentials, "", nil)
	}
	login, text, found := strings.Cut(p.Credentials.Reveal(), ":")
	if !found || login == "" || text == "" {
		return Pairing{}, core.NewError(core.CodeBadCredentials, "", nil)
	}
	if p.App == "" {
		p.App = core.AnyApp
	}
	if p.App != core.AnyApp {
		if err := core.CheckName("app", p.App); err != nil {
			return Pairing{}, core.Errorf(core.CodeAuthParams, "The parameter app is invalid: %v; leave it out to pair for all apps", err)
		}
	}
	token := core.NewSecret(text)
	pairing, err := s.verify(ctx, forge, login, token)
	if err != nil {
		return Pairing{}, err
	}
	pairing.App = p.App
	if err := s.keep(ctx, user, pairing, token); err != nil {
		return Pairing{}, err
	}
	return pairing, nil
}

// forge returns the configured forge of that kind and host.
func (s *Service) forge(kind, host string) (Forge, error) {
	for _, f := range s.o.Forges {
		if f.Kind == kind && (host == "" || strings.EqualFold(f.Host, host)) {
			return f, nil
		}
	}
	what := kind
	if host != "" {
		what += " at " + host
	}
	return Forge{}, core.Errorf(core.CodeAuthForgeUnknown, "%s: %.200q. %s",
		core.Reason(core.CodeAuthForgeUnknown), what, core.Remedy(core.CodeAuthForgeUnknown))
}

// maxToken is the length of the longest token that is sent to a forge, in bytes.
const maxToken = 512

// tokenText is what can be sent in a header as a token.
var tokenText = regexp.MustCompile(`^[!-~]+$`)

// verify asks the forge whose token it is.
func (s *Service) verify(ctx context.Context, f Forge, login string, token core.Secret) (Pairing, error) {
	failed := func(cause error, format string, args ...any) (Pairing, error) {
		return Pairing{}, core.NewError(f.Failed, core.Reason(f.Failed)+": "+fmt.Sprintf(format, args...), cause)
	}
	if text := token.Reveal(); len(text) > maxToken || !tokenText.MatchString(text) {
		return failed(nil, "what follows the colon is not a token; %s", f.Help)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	owner, scopes, err := f.Login.Login(ctx, token)
	switch {
	case errors.Is(err, core.ErrUnauthorized) && f.IsToken != nil && !f.IsToken(token.Reveal()):
		return failed(err, "%s refused what follows the colon. Was it a password? %s", f.Name, f.Help)
	case errors.Is(err, core.ErrUnauthorized):
		return failed(err, "%s refused the token; see in its settings whether it expired or was revoked", f.Name)
	case err != nil:
		return failed(err, "%s did not answer as expected; try again later", f.Name)
	case !strings.EqualFold(owner, login):
		return failed(nil, "the token belongs to another %s user than the one before the colon; send the name that it belongs to", f.Name)
	}
	return Pairing{Kind: f.Kind, Host: f.Host, Login: owner, Scopes: scopes}, nil
}

// keep stores the token, in the place of the one for the same forge and app.
func (s *Service) keep(ctx context.Context, user string, p Pairing, token core.Secret) error {
	tokens, err := s.tokens(ctx, user)
	if err != nil {
		return err
	}
	writing, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	err = s.o.Accounts.SetToken(writing, user, core.ThirdPartyToken{
		ID: tokenID(tokens, p), Provider: p.Kind, Forge: p.Host, App: p.App,
		Login: p.Login, Scopes: p.Scopes, Token: token,
	})
	if err != nil {
		return core.NewError(core.CodeUpdateUserFailed, "", err)
	}
	return nil
}

// tokenID returns the ID of the token for the same forge and app among tokens; if
// there is none, an ID that no other token has.
func tokenID(tokens []core.ThirdPartyToken, p Pairing) string {
	used := map[string]bool{}
	for _, t := range tokens {
		if t.Provider == p.Kind && t.IsFor(p.Host) && t.App == p.App {
			return t.ID
		}
		used[t.ID] = true
	}
	id := p.Kind + "-account" // not a name that a person gives a webhook's secret
	if p.App != core.AnyApp {
		id += "-" + p.App
	}
	free := id
	for n := 2; used[free]; n++ {
		free = fmt.Sprintf("%s-%d", id, n)
	}
	return free
}
