package travis

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what Travis CI signs with
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
)

// Verify checks the header Signature, in base64 the RSA signature (PKCS #1 v1.5,
// SHA-1) of the payload before its form encoding (docs.travis-ci.com, "Configuring
// Build Notifications"), against each of keys: public keys in PEM, "PUBLIC KEY" or
// "RSA PUBLIC KEY", one or several in each. A malformed signature is invalid. If keys
// has no public key that can be read, the signature is unchecked.
//
// A valid signature says that Travis CI wrote the payload, not when: a repeated one
// must have no effect.
func (Provider) Verify(d core.Delivery, keys []core.Secret) (core.Signature, int) {
	if !present(d, headerSignature) {
		return core.SignatureNone, -1
	}
	signature, err := base64.StdEncoding.DecodeString(field.Header(d, headerSignature))
	digest := sha1.Sum(d.Payload) //nolint:gosec // as above
	found := core.SignatureUnchecked
	for i, text := range keys {
		for _, key := range publicKeys(text) {
			if err == nil && rsa.VerifyPKCS1v15(key, crypto.SHA1, digest[:], signature) == nil {
				return core.SignatureValid, i
			}
			found = core.SignatureInvalid
		}
	}
	return found, -1
}

// publicKeys returns the RSA keys in a text.
func publicKeys(text core.Secret) (keys []*rsa.PublicKey) {
	rest := []byte(text.Reveal())
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return keys
		}
		if key := publicKey(block); key != nil {
			keys = append(keys, key)
		}
	}
}

// publicKey returns the RSA public key in a block, nil if there is none.
func publicKey(block *pem.Block) *rsa.PublicKey {
	switch block.Type {
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil
		}
		public, _ := key.(*rsa.PublicKey)
		return public
	case "RSA PUBLIC KEY":
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return nil
		}
		return key
	}
	return nil
}
