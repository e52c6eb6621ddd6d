package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/nodejitsu/webhooks/core"
)

// parameters are those of OWASP's cheat sheet for argon2id.
func parameters() *argon2id.Params {
	return &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// hash returns the hash of a password, with its parameters and salt.
func (a *Accounts) hash(ctx context.Context, password core.Secret) (string, error) {
	release, err := a.turn(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	hash, err := argon2id.CreateHash(password.Reveal(), parameters())
	if err != nil {
		return "", fmt.Errorf("accounts: hashing a password: %w", err)
	}
	return hash, nil
}

// dummyHash is of no password that anybody has. Unknown users are compared
// with it, so that the time does not tell that they are.
func dummyHash() string {
	hash, err := argon2id.CreateHash("", parameters())
	if err != nil {
		return "" // the system has no randomness; then nothing else works either
	}
	return hash
}

// remembered is a password that was right.
type remembered struct {
	mac   [sha256.Size]byte
	hash  string // what it was compared with
	until time.Time
}

// right tells whether password is the user's, whose hash is that. known is
// false for a user that there is not.
func (a *Accounts) right(ctx context.Context, user, hash string, known bool, password core.Secret) (bool, error) {
	mac := a.mac(user, password)
	if known && a.recall(user, hash, mac) {
		return true, nil
	}
	release, err := a.turn(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	if !known {
		hash = a.dummy()
	}
	same, err := argon2id.ComparePasswordAndHash(password.Reveal(), hash)
	if err != nil {
		return false, fmt.Errorf("accounts: comparing a password: %w", err)
	}
	if !same || !known {
		return false, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remembered[user] = remembered{mac: mac, hash: hash, until: a.o.Now().Add(a.o.Remember)}
	return true, nil
}

// recall tells whether it is known that password is right. The hash must still
// be the one that it was compared with: the password may have been changed
// while that went on.
func (a *Accounts) recall(user, hash string, mac [sha256.Size]byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.remembered[user]
	if !ok || r.hash != hash || !a.o.Now().Before(r.until) {
		delete(a.remembered, user)
		return false
	}
	return subtle.ConstantTimeCompare(r.mac[:], mac[:]) == 1
}

func (a *Accounts) forget(user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.remembered, user)
}

func (a *Accounts) mac(user string, password core.Secret) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, a.secret)
	_, _ = h.Write([]byte(user + "\x00" + password.Reveal())) // never fails
	h.Sum(sum[:0])
	return sum
}
