package auth

import (
	"context"

	"github.com/nodejitsu/webhooks/core"
)

// Accounts is the platform's users. Implementations may be called
// concurrently.
type Accounts interface {
	// Authenticate verifies c. It fails with core.ErrUnauthorized; any other
	// error means that it could not be found out. The answer may be a few seconds
	// old.
	Authenticate(ctx context.Context, c core.Credentials) (core.Account, error)
	// Tokens returns the third-party tokens of user, or core.ErrNotFound if
	// there is no such user. The slice is not to be changed. Unless fresh is
	// set, they may be a few seconds old.
	Tokens(ctx context.Context, user string, fresh bool) ([]core.ThirdPartyToken, error)
	// SetToken keeps t for user, in the place of one with the same ID.
	SetToken(ctx context.Context, user string, t core.ThirdPartyToken) error
}

// GitHub tells whose an access token is.
type GitHub interface {
	// Login returns the login that token belongs to and the scopes it has,
	// nil where GitHub does not say. It fails with core.ErrUnauthorized where
	// the token is refused; errors that pass are marked by core.Transient.
	Login(ctx context.Context, token core.Secret) (login string, scopes []string, err error)
}
