package auth

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// Pairing is a user's access token for GitHub, without the token.
type Pairing struct {
	Login  string   // as GitHub spells it
	Scopes []string // nil where GitHub does not say, as for fine-grained tokens
	App    string   // the one app it serves; core.AnyApp for all
}

// PairGitHub keeps an access token for GitHub as a third-party token of user,
// for app or, where that is "", for all apps. credentials are
// "githubUser:token", as POST /1/auth/github takes them; the token is proved
// by asking GitHub whose it is.
//
// It fails with [core.CodeNoCredentials], [core.CodeBadCredentials],
// [core.CodeAuthParams], [core.CodeGitHubPairingFailed],
// [core.CodeGetUserFailed] and [core.CodeUpdateUserFailed].
func (s *Service) PairGitHub(ctx context.Context, user string, credentials core.Secret, app string) (Pairing, error) {
	if credentials.IsZero() {
		return Pairing{}, core.NewError(core.CodeNoCredentials, "", nil)
	}
	login, token, found := strings.Cut(credentials.Reveal(), ":")
	if !found || login == "" || token == "" {
		return Pairing{}, core.NewError(core.CodeBadCredentials, "", nil)
	}
	if app == "" {
		app = core.AnyApp
	}
	if app != core.AnyApp && !core.ValidName(app) {
		return Pairing{}, core.NewError(core.CodeAuthParams, "The parameter app is no valid name of an app; leave it out to pair for all apps", nil)
	}
	pairing, err := s.prove(ctx, login, core.NewSecret(token))
	if err != nil {
		return Pairing{}, err
	}
	pairing.App = app
	if err := s.keep(ctx, user, pairing, core.NewSecret(token)); err != nil {
		return Pairing{}, err
	}
	return pairing, nil
}

// prove asks GitHub whose token it is.
func (s *Service) prove(ctx context.Context, login string, token core.Secret) (Pairing, error) {
	failed := func(reason string, cause error) (Pairing, error) {
		return Pairing{}, core.NewError(core.CodeGitHubPairingFailed,
			core.Reason(core.CodeGitHubPairingFailed)+": "+reason, cause)
	}
	const noPasswords = "GitHub takes no passwords any more; make a personal access token in its settings and give that after the colon"
	if !tokenText.MatchString(token.Reveal()) {
		return failed(noPasswords, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	owner, scopes, err := s.o.GitHub.Login(ctx, token)
	switch {
	case errors.Is(err, core.ErrUnauthorized) && tokenForm.MatchString(token.Reveal()):
		return failed("GitHub refused the token; see in its settings whether it expired or was revoked", err)
	case errors.Is(err, core.ErrUnauthorized):
		return failed("GitHub refused what follows the colon. Was it a password? "+noPasswords, err)
	case err != nil:
		return failed("GitHub did not answer as it should; try again later", err)
	case !strings.EqualFold(owner, login):
		return failed("the token is another GitHub user's than the one before the colon; give the name that it belongs to", nil)
	}
	return Pairing{Login: owner, Scopes: scopes}, nil
}

// keep stores the token with the user, in the place of the one that served
// the same app.
func (s *Service) keep(ctx context.Context, user string, p Pairing, token core.Secret) error {
	reading, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	tokens, err := s.o.Accounts.Tokens(reading, user, true)
	if err != nil {
		return core.NewError(core.CodeGetUserFailed, "", err)
	}
	writing, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	err = s.o.Accounts.SetToken(writing, user, core.ThirdPartyToken{
		ID: tokenID(tokens, p.App), Provider: core.TokenGitHub, App: p.App,
		Login: p.Login, Scopes: p.Scopes, Token: token,
	})
	if err != nil {
		return core.NewError(core.CodeUpdateUserFailed, "", err)
	}
	return nil
}

// tokenID returns the ID of the GitHub token for app among tokens; where there
// is none, one that no other token has.
func tokenID(tokens []core.ThirdPartyToken, app string) string {
	taken := map[string]bool{}
	for _, t := range tokens {
		if t.Provider == core.TokenGitHub && t.App == app {
			return t.ID
		}
		taken[t.ID] = true
	}
	id := core.TokenGitHub
	if app != core.AnyApp {
		id += "-" + app
	}
	free := id
	for n := 2; taken[free]; n++ {
		free = fmt.Sprintf("%s-%d", id, n)
	}
	return free
}

var (
	// tokenText is what can stand in a header as a token.
	tokenText = regexp.MustCompile(`^[!-~]{1,512}$`)
	// tokenForm is how GitHub's tokens look: those with a prefix
	// (docs.github.com, "About authentication to GitHub", section "GitHub's
	// token formats"), and the 40 hex digits from before April 2021.
	tokenForm = regexp.MustCompile(`^(gh[pousr]_\w+|github_pat_\w+|[0-9a-f]{40})$`)
)
