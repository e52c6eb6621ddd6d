package auth

import (
	"context"

	"github.com/nodejitsu/webhooks/core"
)

// Authenticator verifies credentials. Implementations may be called concurrently.
type Authenticator interface {
	// Authenticate verifies c. It fails with core.ErrUnauthorized; any other
	// error means that it could not be found out. The answer may be a few seconds
	// old.
	Authenticate(ctx context.Context, c core.Credentials) (core.Account, error)
}

// Accounts is the platform's users. Implementations may be called concurrently.
type Accounts interface {
	Authenticator
	// Tokens returns the third-party tokens of user, or core.ErrNotFound if
	// there is no such user. The slice is not to be changed. Unless fresh is
	// set, they may be a few seconds old.
	Tokens(ctx context.Context, user string, fresh bool) ([]core.ThirdPartyToken, error)
	// SetToken keeps t for user, in the place of the one with the same ID.
	SetToken(ctx context.Context, user string, t core.ThirdPartyToken) error
}

// Forge is a forge that accounts can be paired with.
type Forge struct {
	Kind string // such as "github"; also the Provider of the tokens
	Host string // such as "github.com"
	Name string // for a person, such as "GitHub"
	// Help says which token is needed and where it is made, as a clause.
	Help string
	// IsToken reports whether a text has the form of the forge's tokens. Nil: it
	// has none that is known.
	IsToken func(text string) bool
	// Failed is the code of a pairing that failed.
	Failed core.Code
	Login  Login
}

// Login is what a forge knows of a token.
type Login interface {
	// Login returns the login that token belongs to and its scopes, nil if the
	// forge does not say. It fails with core.ErrUnauthorized if the token is
	// refused; temporary errors are wrapped with core.Transient.
	Login(ctx context.Context, token core.Secret) (login string, scopes []string, err error)
}
