package accounts

import (
	"context"
	"fmt"

	"github.com/alexedwards/argon2id"

	"github.com/nodejitsu/webhooks/core"
)

// parameters returns the argon2id parameters of OWASP's cheat sheet.
func parameters() *argon2id.Params {
	return &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// hash returns the hash of a password, with its parameters and salt.
func (a *Accounts) hash(ctx context.Context, password core.Secret) (string, error) {
	release, err := a.acquire(ctx)
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

// dummyHash is not the hash of any user's password. Unknown users are compared
// with it, so that the response time does not reveal that they are unknown.
func dummyHash() string {
	hash, err := argon2id.CreateHash("", parameters())
	if err != nil {
		return "" // no random source: nothing else works either
	}
	return hash
}

// right reports whether password matches the user's hash. known is false for a
// user that does not exist.
func (a *Accounts) right(ctx context.Context, hash string, known bool, password core.Secret) (bool, error) {
	release, err := a.acquire(ctx)
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
	return same && known, nil
}
