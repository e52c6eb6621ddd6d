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
	Scopes []string // nil if GitHub does not report them, as for fine-grained tokens
	App    string   // the only app that may use it; core.AnyApp for all
}

// PairGitHub stores an access token for GitHub as a third-party token of user, for
// app or, if that is "", for all apps. credentials are "githubUser:token", as in a
// POST /1/auth/github. It asks GitHub to verify that the token belongs to that
// user.
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
		return Pairing{}, core.NewError(core.CodeAuthParams, "The parameter app is not a valid name of an app; omit it to pair for all apps", nil)
	}
	pairing, err := s.verify(ctx, login, core.NewSecret(token))
	if err != nil {
		return Pairing{}, err
	}
	pairing.App = app
	if err := s.store(ctx, user, pairing, core.NewSecret(token)); err != nil {
		return Pairing{}, err
	}
	return pairing, nil
}

// verify asks GitHub which user the token belongs to.
func (s *Service) verify(ctx context.Context, login string, token core.Secret) (Pairing, error) {
	failed := func(reason string, cause error) (Pairing, error) {
		return Pairing{}, core.NewError(core.CodeGitHubPairingFailed,
			core.Reason(core.CodeGitHubPairingFailed)+": "+reason, cause)
	}
	const noPasswords = "GitHub accepts no passwords any more; create a personal access token in its settings and send that after the colon"
	if !tokenText.MatchString(token.Reveal()) {
		return failed(noPasswords, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	owner, scopes, err := s.o.GitHub.Login(ctx, token)
	switch {
	case errors.Is(err, core.ErrUnauthorized) && tokenForm.MatchString(token.Reveal()):
		return failed("GitHub refused the token; check in its settings whether it expired or was revoked", err)
	case errors.Is(err, core.ErrUnauthorized):
		return failed("GitHub refused what follows the colon. Was it a password? "+noPasswords, err)
	case err != nil:
		return failed("GitHub could not be reached or failed; try again later", err)
	case !strings.EqualFold(owner, login):
		return failed("the token belongs to another GitHub user than the one before the colon; send the name of its user", nil)
	}
	return Pairing{Login: owner, Scopes: scopes}, nil
}

// store stores the token with the user. It replaces the token for the same app.
func (s *Service) store(ctx context.Context, user string, p Pairing, token core.Secret) error {
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

// tokenID returns the ID of the GitHub token for app among tokens. If there is
// none, it returns one that no other token has.
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
	// tokenText matches what can be sent in a header as a token.
	tokenText = regexp.MustCompile(`^[!-~]{1,512}$`)
	// tokenForm matches GitHub's tokens: those with a prefix
	// (docs.github.com, "About authentication to GitHub", section "GitHub's
	// token formats"), and the 40 hex digits from before April 2021.
	tokenForm = regexp.MustCompile(`^(gh[pousr]_\w+|github_pat_\w+|[0-9a-f]{40})$`)
)
