package accounts

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// Identity is an authenticated caller.
type Identity struct {
	Username string
	Service  bool // the service user, who may act for all users
	Admin    bool // a user who may add and remove users
	Token    bool // authenticated by an API token, which may not change credentials
}

// May reports whether the caller may access what belongs to user.
func (i Identity) May(user string) bool { return i.Service || i.Username == user }

const maxPassword = 1024 // bytes; limits the cost of hashing

// Authenticate returns the identity for the credentials. If they are wrong it
// fails with [core.CodePlatformUnauthorized].
func (a *Accounts) Authenticate(ctx context.Context, c core.Credentials) (Identity, error) {
	wrong := core.NewError(core.CodePlatformUnauthorized, "", nil)
	if len(c.Password.Reveal()) > maxPassword {
		return Identity{}, wrong
	}
	if c.Username == a.o.ServiceUser && a.o.ServiceUser != "" {
		given := sha256.Sum256([]byte(c.Password.Reveal()))
		if a.o.Key.Reveal() == "" || subtle.ConstantTimeCompare(given[:], a.key[:]) != 1 {
			return Identity{}, wrong
		}
		return Identity{Username: c.Username, Service: true}, nil
	}
	if !core.ValidName(c.Username) {
		return Identity{}, wrong
	}
	if who, ok := a.memory.recall(c, a.o.Now()); ok {
		return who, nil
	}
	changes := a.memory.begin()
	who, ok, err := a.verify(ctx, c)
	if err != nil {
		return Identity{}, err
	}
	if !ok {
		return Identity{}, wrong
	}
	a.memory.keep(changes, c, who, a.o.Now().Add(a.o.Remember))
	return who, nil
}

// verify compares the credentials with the stored ones.
func (a *Accounts) verify(ctx context.Context, c core.Credentials) (who Identity, ok bool, err error) {
	user, known, err := a.find(c.Username)
	if err != nil {
		return Identity{}, false, err
	}
	token, err := a.isToken(c)
	if err != nil {
		return Identity{}, false, err
	}
	if known && token {
		return Identity{Username: c.Username, Admin: user.Admin, Token: true}, true, nil
	}
	right, err := a.right(ctx, user.Hash, known, c.Password)
	return Identity{Username: c.Username, Admin: user.Admin}, right, err
}

// isToken reports whether the password is one of the user's API tokens.
func (a *Accounts) isToken(c core.Credentials) (found bool, err error) {
	sum := sha256.Sum256([]byte(c.Password.Reveal()))
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
