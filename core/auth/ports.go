package auth

import (
	"context"

	"github.com/nodejitsu/webhooks/core"
)

// Accounts is the platform's users. Implementations may be called
// concurrently.
type Accounts interface {
	// Authenticate verifies c. It fails with core.ErrUnauthorized; any other
	// error means that c could not be verified. The answer may be a few seconds
	// old.
	Authenticate(ctx context.Context, c core.Credentials) (core.Account, error)
	// Tokens returns the third-party tokens of user, or core.ErrNotFound if
	// there is no such user. The slice must not be changed. Unless fresh is
	// set, they may be a few seconds old.
	Tokens(ctx context.Context, user string, fresh bool) ([]core.ThirdPartyToken, error)
	// SetToken stores t for user. It replaces the token with the same ID.
	SetToken(ctx context.Context, user string, t core.ThirdPartyToken) error
}

// GitHub finds the user of an access token.
type GitHub interface {
	// Login returns the login that token belongs to and the scopes it has,
	// nil if GitHub does not report them. It fails with core.ErrUnauthorized if
	// the token is refused. Temporary errors are wrapped with core.Transient.
	Login(ctx context.Context, token core.Secret) (login string, scopes []string, err error)
}
