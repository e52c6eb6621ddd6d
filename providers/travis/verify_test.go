package travis

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what Travis CI signs with
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/textproto"
	"net/url"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

func encode(kind string, der []byte) core.Secret {
	return core.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

// pair returns a private key and its public one in both forms.
func pair(t *testing.T) (private *rsa.PrivateKey, pkix, pkcs1 core.Secret) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return private, encode("PUBLIC KEY", der), encode("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&private.PublicKey))
}

func sign(t *testing.T, key *rsa.PrivateKey, hash crypto.Hash, digest []byte) string {
	t.Helper()
	signature, err := rsa.SignPKCS1v15(nil, key, hash, digest)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(signature)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	payload := []byte(build(`"message":"a & b + 100%"`))
	private, pkix, pkcs1 := pair(t)
	_, other, _ := pair(t)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&curve.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha1.Sum(payload) //nolint:gosec // as above
	good := sign(t, private, crypto.SHA1, digest[:])
	strong := sha256.Sum256(payload)
	d, err := core.NewDelivery(textproto.MIMEHeader{}, []byte("payload="+url.QueryEscape(string(payload))))
	if err != nil {
		t.Fatal(err)
	}
	if got := golden.Verify(t, Provider{}, d, []core.Secret{pkix}); got != core.SignatureNone {
		t.Errorf("unsigned: %s", got)
	}
	for _, c := range []struct {
		why, signature string
		keys           []core.Secret
		want           core.Signature
	}{
		{"a public key", good, []core.Secret{pkix}, core.SignatureValid},
		{"an RSA public key", good, []core.Secret{pkcs1}, core.SignatureValid},
		{"any of several", good, []core.Secret{{}, other, core.NewSecret("junk"), encode("PUBLIC KEY", der), pkix}, core.SignatureValid},
		{"several in one", good, []core.Secret{core.NewSecret(other.Reveal() + pkix.Reveal())}, core.SignatureValid},
		{"another key", good, []core.Secret{other}, core.SignatureInvalid},
		{"no key", good, nil, core.SignatureUnchecked},
		{"no key that can be read", good, []core.Secret{core.NewSecret("junk"), encode("PUBLIC KEY", []byte("x")), encode("RSA PUBLIC KEY", nil), encode("PUBLIC KEY", der), encode("CERTIFICATE", der)}, core.SignatureUnchecked},
		{"not base64", "!" + good, []core.Secret{pkix}, core.SignatureInvalid},
		{"empty", "", []core.Secret{pkix}, core.SignatureInvalid},
		{"cut off", good[:40], []core.Secret{pkix}, core.SignatureInvalid},
		{"another hash", sign(t, private, crypto.SHA256, strong[:]), []core.Secret{pkix}, core.SignatureInvalid},
		{"malformed and no key", "!", nil, core.SignatureUnchecked},
	} {
		d.Header.Set("Signature", c.signature)
		if got := golden.Verify(t, Provider{}, d, c.keys); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
	d.Header.Set("Signature", good)
	d.Payload = append([]byte(nil), d.Payload...)
	d.Payload[len(d.Payload)-2]++
	if got := golden.Verify(t, Provider{}, d, []core.Secret{pkix}); got != core.SignatureInvalid {
		t.Errorf("another payload: %s", got)
	}
}
