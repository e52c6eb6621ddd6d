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
	// RemoveToken removes the one with that ID, or fails with core.ErrNotFound.
	RemoveToken(ctx context.Context, user, id string) error
	// APITokens returns the names of user's API tokens, in order.
	APITokens(ctx context.Context, user string) ([]string, error)
	// CreateAPIToken makes an API token, in the place of the one with the same name.
	CreateAPIToken(ctx context.Context, user, name string) (core.Secret, error)
	// RemoveAPIToken removes the one of that name, or fails with core.ErrNotFound.
	RemoveAPIToken(ctx context.Context, user, name string) error
	// UpdateUser changes the password and the mail address, each unless it is empty.
	UpdateUser(ctx context.Context, user string, password core.Secret, email string) error
}

// Messenger sends messages to chat services. Implementations may be called
// concurrently.
type Messenger interface {
	// Check returns what is wrong with the address of a service, without repeating it.
	Check(address core.Secret) error
	// Send sends a message; unique is different for each.
	Send(ctx context.Context, address core.Secret, text, unique string) error
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
