package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// User is a user, without credentials.
type User struct {
	Username string    `json:"username"`
	Email    string    `json:"email,omitempty"`
	Admin    bool      `json:"admin,omitempty"` // may add and remove users
	CTime    time.Time `json:"ctime"`
	MTime    time.Time `json:"mtime"`
}

func (d userDocument) user() User {
	return User{Username: d.Username, Email: d.Email, Admin: d.Admin, CTime: d.CTime, MTime: d.MTime}
}

// Create creates a user.
func (a *Accounts) Create(ctx context.Context, user string, password core.Secret, email string) error {
	if err := core.CheckName("user", user); err != nil {
		return core.Errorf(core.CodePlatformInvalid, "The request is invalid: %v", err)
	}
	if err := checkPassword(password); err != nil {
		return err
	}
	if err := checkEmail(email); err != nil {
		return err
	}
	hash, err := a.hash(ctx, password)
	if err != nil {
		return err
	}
	now := a.o.Now().UTC()
	return a.update("creating a user", user, func(tx *bbolt.Tx) error {
		if mustExist(tx, user) == nil {
			return core.Errorf(core.CodePlatformUserConflict, "There is a user %q already", user)
		}
		return put(tx, bucketUsers, user, userDocument{Username: user, Hash: hash, Email: email, CTime: now, MTime: now})
	})
}

// Update changes the password and the email, each if it is not empty. It keeps
// the API tokens.
func (a *Accounts) Update(ctx context.Context, user string, password core.Secret, email string) error {
	if err := checkEmail(email); err != nil {
		return err
	}
	hash := ""
	if !password.IsZero() {
		if err := checkPassword(password); err != nil {
			return err
		}
		var err error
		if hash, err = a.hash(ctx, password); err != nil {
			return err
		}
	}
	return a.update("updating a user", user, func(tx *bbolt.Tx) error {
		var d userDocument
		if ok, err := get(tx, bucketUsers, user, &d); err != nil || !ok {
			return orNone(err, user)
		}
		if hash != "" {
			d.Hash = hash
		}
		if email != "" {
			d.Email = email
		}
		d.MTime = a.o.Now().UTC()
		return put(tx, bucketUsers, user, d)
	})
}

// SetAdmin sets whether the user may add and remove users.
func (a *Accounts) SetAdmin(user string, admin bool) error {
	return a.update("updating a user", user, func(tx *bbolt.Tx) error {
		var d userDocument
		if ok, err := get(tx, bucketUsers, user, &d); err != nil || !ok {
			return orNone(err, user)
		}
		d.Admin, d.MTime = admin, a.o.Now().UTC()
		return put(tx, bucketUsers, user, d)
	})
}

// Destroy removes a user with all tokens.
func (a *Accounts) Destroy(user string) error {
	return a.update("destroying a user", user, func(tx *bbolt.Tx) error {
		if err := mustExist(tx, user); err != nil {
			return err
		}
		for _, bucket := range []string{bucketTokens, bucketThirdParty} {
			if err := removeAll(tx, bucket, user); err != nil {
				return err
			}
		}
		if err := tx.Bucket([]byte(bucketCodes)).Delete([]byte(user)); err != nil {
			return err
		}
		return tx.Bucket([]byte(bucketUsers)).Delete([]byte(user))
	})
}

// Find returns a user.
func (a *Accounts) Find(user string) (User, error) {
	d, ok, err := a.find(user)
	if err != nil || !ok {
		return User{}, orNone(err, user)
	}
	return d.user(), nil
}

// List returns all users by name.
func (a *Accounts) List() ([]User, error) {
	users := []User{}
	err := a.o.DB.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucketUsers)).ForEach(func(_, text []byte) error {
			var d userDocument
			if err := json.Unmarshal(text, &d); err != nil {
				return err
			}
			users = append(users, d.user())
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("accounts: listing users: %w", err)
	}
	return users, nil
}

// EmailTaken reports whether a user has that address.
func (a *Accounts) EmailTaken(email string) (bool, error) {
	users, err := a.List()
	for _, u := range users {
		if email != "" && strings.EqualFold(u.Email, email) {
			return true, nil
		}
	}
	return false, err
}

func orNone(err error, user string) error {
	if err != nil {
		return err
	}
	return noUser(user)
}

func checkPassword(password core.Secret) error {
	if password.IsZero() || len(password.Reveal()) > maxPassword {
		return core.Errorf(core.CodePlatformInvalid, "A password of at most %d bytes is required", maxPassword)
	}
	return nil
}

func checkEmail(email string) error {
	if len(email) > 254 || strings.ContainsAny(email, "\r\n\x00") {
		return core.Errorf(core.CodePlatformInvalid, "Invalid email address")
	}
	return nil
}
