package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// codeFor is how long a code is valid.
const codeFor = 24 * time.Hour

// codeDocument is a stored code with which a user may set a password.
type codeDocument struct {
	SHA256 string    `json:"sha256"` // of the code, hex
	Until  time.Time `json:"until"`
}

// Invite creates a code with which the user may set a password once, within a
// day. It replaces an earlier code. The code can't be read again.
func (a *Accounts) Invite(user string) (code core.Secret, err error) {
	code = core.NewSecret(rand.Text())
	sum := sha256.Sum256([]byte(code.Reveal()))
	err = a.update("inviting a user", user, func(tx *bbolt.Tx) error {
		if err := mustExist(tx, user); err != nil {
			return err
		}
		return put(tx, bucketCodes, user, codeDocument{SHA256: hex.EncodeToString(sum[:]), Until: a.o.Now().UTC().Add(codeFor)})
	})
	if err != nil {
		return core.Secret{}, err
	}
	return code, nil
}

// Invited fails if the code is not valid. The error is the same if there is no
// such user.
func (a *Accounts) Invited(user string, code core.Secret) error {
	return a.o.DB.View(func(tx *bbolt.Tx) error { return a.holds(tx, user, code) })
}

// Redeem sets the password of a user who has a code, and invalidates the code.
func (a *Accounts) Redeem(ctx context.Context, user string, code, password core.Secret) error {
	if err := a.Invited(user, code); err != nil {
		return err // before hashing
	}
	if err := checkPassword(password); err != nil {
		return err
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.update("setting a password", user, func(tx *bbolt.Tx) error {
		if err := a.holds(tx, user, code); err != nil {
			return err
		}
		var d userDocument
		if ok, err := get(tx, bucketUsers, user, &d); err != nil || !ok {
			return orNone(err, user)
		}
		d.Hash, d.MTime = hash, a.o.Now().UTC()
		if err := put(tx, bucketUsers, user, d); err != nil {
			return err
		}
		return tx.Bucket([]byte(bucketCodes)).Delete([]byte(user))
	})
}

func (a *Accounts) holds(tx *bbolt.Tx, user string, code core.Secret) error {
	var d codeDocument
	ok, err := get(tx, bucketCodes, user, &d)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(code.Reveal()))
	same := subtle.ConstantTimeCompare([]byte(d.SHA256), []byte(hex.EncodeToString(sum[:]))) == 1
	if !ok || !same || a.o.Now().After(d.Until) {
		return core.NewError(core.CodePlatformWrongCode, "", nil)
	}
	return nil
}
