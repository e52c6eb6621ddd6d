package travis

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what Travis CI signs with
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"

	"github.com/nodejitsu/webhooks/core"
)

// Verify checks the header Signature, in base64 the RSA signature (PKCS #1
// v1.5, SHA-1) of the payload as it was before form encoding
// (docs.travis-ci.com, "Configuring Build Notifications"), against each of
// keys: public keys in PEM, "PUBLIC KEY" or "RSA PUBLIC KEY", one or several in
// each. A signature that is malformed is invalid; where none of keys can be
// read there is nothing to check with, and it is unchecked.
//
// A signature says that Travis CI wrote the payload, not when: one that was
// seen before must do nothing.
func (Provider) Verify(d core.Delivery, keys []core.Secret) core.Signature {
	if !present(d, headerSignature) {
		return core.SignatureNone
	}
	signature, err := base64.StdEncoding.DecodeString(d.Header.Get(headerSignature))
	digest := sha1.Sum(d.Payload) //nolint:gosec // as above
	found := core.SignatureUnchecked
	for _, key := range publicKeys(keys) {
		if err == nil && rsa.VerifyPKCS1v15(key, crypto.SHA1, digest[:], signature) == nil {
			return core.SignatureValid
		}
		found = core.SignatureInvalid
	}
	return found
}

// publicKeys reads what RSA keys there are in texts.
func publicKeys(texts []core.Secret) (keys []*rsa.PublicKey) {
	for _, text := range texts {
		rest := []byte(text.Reveal())
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if key := publicKey(block); key != nil {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// publicKey reads a block, nil where it holds no RSA public key.
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
