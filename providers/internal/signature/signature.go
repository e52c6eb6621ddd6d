// Package signature verifies the signatures that several senders share.
package signature

import (
	"crypto/hmac"
	"encoding/hex"
	"hash"

	"github.com/nodejitsu/webhooks/core"
)

// HMAC verifies an HMAC in hex of message against each of keys, in constant
// time for each. It returns the index of the one that matches, -1 if none does. The
// result is [core.SignatureUnchecked] if there are no keys; an empty key does not
// count as one. A malformed signature is invalid.
func HMAC(h func() hash.Hash, digits string, message []byte, keys []core.Secret) (core.Signature, int) {
	got, err := hex.DecodeString(digits)
	var sum [64]byte // as long as the longest hash
	found := core.SignatureUnchecked
	for i, key := range keys {
		if key.IsZero() {
			continue
		}
		found = core.SignatureInvalid
		if err != nil {
			return found, -1
		}
		mac := hmac.New(h, []byte(key.Reveal()))
		mac.Write(message)
		if hmac.Equal(got, mac.Sum(sum[:0])) {
			return core.SignatureValid, i
		}
	}
	return found, -1
}
