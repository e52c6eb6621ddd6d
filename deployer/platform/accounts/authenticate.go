package accounts

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// Identity is who calls.
type Identity struct {
	Username string
	Service  bool // it is the service user, who may act for all
	Token    bool // it gave an API token, which may not change how one gets in
}

// May tells whether the caller may reach what is user's.
func (i Identity) May(user string) bool { return i.Service || i.Username == user }

const maxPassword = 1024 // bytes; the hash must not be made to eat more

// Authenticate tells who the credentials are of. It refuses with
// [core.CodePlatformUnauthorized].
func (a *Accounts) Authenticate(ctx context.Context, c core.Credentials) (Identity, error) {
	wrong := core.NewError(core.CodePlatformUnauthorized, "", nil)
	if len(c.Password) > maxPassword {
		return Identity{}, wrong
	}
	if c.Username == a.o.ServiceUser && a.o.ServiceUser != "" {
		given := sha256.Sum256([]byte(c.Password))
		if a.o.Key == "" || subtle.ConstantTimeCompare(given[:], a.key[:]) != 1 {
			return Identity{}, wrong
		}
		return Identity{Username: c.Username, Service: true}, nil
	}
	if !core.ValidName(c.Username) {
		return Identity{}, wrong
	}
	user, known, err := a.find(c.Username)
	if err != nil {
		return Identity{}, err
	}
	token, err := a.holdsToken(c)
	if err != nil {
		return Identity{}, err
	}
	if known && token {
		return Identity{Username: c.Username, Token: true}, nil
	}
	right, err := a.right(ctx, c.Username, user.Hash, known, c.Password)
	if err != nil {
		return Identity{}, err
	}
	if !right {
		return Identity{}, wrong
	}
	return Identity{Username: c.Username}, nil
}

// holdsToken tells whether the password is one of the user's API tokens.
func (a *Accounts) holdsToken(c core.Credentials) (found bool, err error) {
	sum := sha256.Sum256([]byte(c.Password))
	given := []byte(hex.EncodeToString(sum[:]))
	err = a.o.DB.View(func(tx *bbolt.Tx) error {
		return each(tx, bucketTokens, c.Username, func(_ string, d tokenDocument) {
			if subtle.ConstantTimeCompare([]byte(d.SHA256), given) == 1 {
				found = true
			}
		})
	})
	return found, err
}
