// Package seal encrypts what is kept on disk and must be told again, such as
// access tokens, so that a copy of the database alone tells nothing.
//
// A sealed text is "v1:KEY:DATA": the id of the key that sealed it, and in
// base64 a nonce and what AES-256-GCM made of the secret. What it is for, such
// as whose token, is authenticated with it, so that nobody can have another's
// secret told by moving it. Keys are replaced by putting a new one before the
// others: the first one seals, and all open.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// Keys seal and open. They may be used concurrently.
type Keys struct{ all []key }

type key struct {
	id   string // the begin of its SHA-256, which tells nothing of it
	aead cipher.AEAD
}

const (
	keySize = 32 // bytes
	version = "v1"
)

// NewKey returns a random key, in the form in which Parse reads it.
func NewKey() core.Secret {
	var random [keySize]byte
	_, _ = rand.Read(random[:]) // never fails, or ends the process
	return core.NewSecret(base64.StdEncoding.EncodeToString(random[:]))
}

// Parse reads keys: one on each line, 32 bytes in base64. Empty lines and those
// that begin with # are left out. Its errors show nothing of the keys.
func Parse(text core.Secret) (*Keys, error) {
	k := &Keys{}
	for i, line := range strings.Split(text.Reveal(), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != keySize {
			return nil, fmt.Errorf("seal: line %d is no key, which is %d bytes in base64; `webhooks keys rotate` makes one", i+1, keySize)
		}
		block, err := aes.NewCipher(raw)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		sum := sha256.Sum256(raw)
		k.all = append(k.all, key{hex.EncodeToString(sum[:4]), aead})
	}
	if len(k.all) == 0 {
		return nil, errors.New("seal: there is no key")
	}
	return k, nil
}

// IDs returns the keys' ids, that of the one that seals first.
func (k *Keys) IDs() []string {
	ids := make([]string, len(k.all))
	for i, one := range k.all {
		ids[i] = one.id
	}
	return ids
}

// Seal encrypts a secret; what says what it is for.
func (k *Keys) Seal(secret core.Secret, what string) string {
	first := k.all[0]
	sealed := first.aead.Seal(nil, nil, []byte(secret.Reveal()), []byte(what)) //nolint:gosec // the AEAD makes the nonce
	return version + ":" + first.id + ":" + base64.StdEncoding.EncodeToString(sealed)
}

// Current reports whether a text was sealed by the key that seals.
func (k *Keys) Current(sealed string) bool {
	return strings.HasPrefix(sealed, version+":"+k.all[0].id+":")
}

// Open decrypts a text that was sealed for the same.
func (k *Keys) Open(sealed, what string) (core.Secret, error) {
	parts := strings.Split(sealed, ":")
	if len(parts) != 3 || parts[0] != version {
		return core.Secret{}, errors.New("seal: this is no sealed text")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return core.Secret{}, errors.New("seal: the sealed text is damaged")
	}
	for _, one := range k.all {
		if one.id != parts[1] {
			continue
		}
		plain, err := one.aead.Open(nil, nil, raw, []byte(what))
		if err != nil {
			return core.Secret{}, errors.New("seal: the sealed text is damaged, or another's")
		}
		return core.NewSecret(string(plain)), nil
	}
	return core.Secret{}, fmt.Errorf("seal: the key %.16q, which sealed it, is not among the keys; put it back into their file", parts[1])
}
