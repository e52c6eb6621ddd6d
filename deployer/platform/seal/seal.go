// Package seal encrypts secrets that are stored on disk and must be read again,
// such as access tokens, so that a copy of the database alone reveals none.
//
// A sealed text is "v1:KEY:DATA": the id of the key that sealed it, and in
// base64 a nonce and the AES-256-GCM ciphertext. The purpose of the secret, such
// as the owner of a token, is its additional data, so that a text that is moved
// to another owner does not open. To replace a key, put a new one before the
// others: the first key seals, and all keys open.
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
	id   string // prefix of its SHA-256
	aead cipher.AEAD
}

const (
	keySize = 32 // bytes
	version = "v1"
)

// NewKey returns a random key in the form that Parse reads.
func NewKey() core.Secret {
	var random [keySize]byte
	_, _ = rand.Read(random[:]) // never fails, or ends the process
	return core.NewSecret(base64.StdEncoding.EncodeToString(random[:]))
}

// Parse reads keys, one per line, each 32 bytes in base64. Empty lines and lines
// that begin with # are ignored. Its errors never contain a key.
func Parse(text core.Secret) (*Keys, error) {
	k := &Keys{}
	for i, line := range strings.Split(text.Reveal(), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != keySize {
			return nil, fmt.Errorf("seal: invalid key in line %d: want %d bytes in base64, as `webhooks keys rotate` creates", i+1, keySize)
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
		return nil, errors.New("seal: no key found")
	}
	return k, nil
}

// IDs returns the keys' ids, beginning with the key that seals.
func (k *Keys) IDs() []string {
	ids := make([]string, len(k.all))
	for i, one := range k.all {
		ids[i] = one.id
	}
	return ids
}

// Seal encrypts a secret; what is its purpose.
func (k *Keys) Seal(secret core.Secret, what string) string {
	first := k.all[0]
	sealed := first.aead.Seal(nil, nil, []byte(secret.Reveal()), []byte(what)) //nolint:gosec // the AEAD makes the nonce
	return version + ":" + first.id + ":" + base64.StdEncoding.EncodeToString(sealed)
}

// Current reports whether a text was sealed by the first key.
func (k *Keys) Current(sealed string) bool {
	return strings.HasPrefix(sealed, version+":"+k.all[0].id+":")
}

// Open decrypts a text that was sealed for the same purpose.
func (k *Keys) Open(sealed, what string) (core.Secret, error) {
	parts := strings.Split(sealed, ":")
	if len(parts) != 3 || parts[0] != version {
		return core.Secret{}, errors.New("seal: not a sealed text")
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
			return core.Secret{}, errors.New("seal: the sealed text is damaged, or was sealed for another purpose")
		}
		return core.NewSecret(string(plain)), nil
	}
	return core.Secret{}, fmt.Errorf("seal: the key %.16q, which sealed it, is not among the keys; add it to the key file again", parts[1])
}
