package github

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // see Provider.SHA1
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

// The secret, body and signature of docs.github.com, "Validating webhook
// deliveries".
const (
	docSecret    = "It's a Secret to Everybody"
	docBody      = "Hello, World!"
	docSignature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	keys := []core.Secret{core.NewSecret(docSecret)}
	other := []core.Secret{core.NewSecret("another")}
	for _, c := range []struct {
		why, signature string
		keys           []core.Secret
		want           core.Signature
	}{
		{"GitHub's own example", docSignature, keys, core.SignatureValid},
		{"any of several keys", docSignature, []core.Secret{core.NewSecret("another"), core.NewSecret(""), core.NewSecret(docSecret)}, core.SignatureValid},
		{"another key", docSignature, other, core.SignatureInvalid},
		{"no key", docSignature, nil, core.SignatureUnchecked},
		{"an empty key does not count", "sha256=" + sign(""), []core.Secret{core.NewSecret("")}, core.SignatureUnchecked},
		{"an empty key beside one", "sha256=" + sign(""), []core.Secret{core.NewSecret(""), core.NewSecret("another")}, core.SignatureInvalid},
		{"no prefix", docSignature[7:], keys, core.SignatureInvalid},
		{"another prefix", "sha512=" + docSignature[7:], keys, core.SignatureInvalid},
		{"cut off", docSignature[:40], keys, core.SignatureInvalid},
		{"more", docSignature + "00", keys, core.SignatureInvalid},
		{"not hex", "sha256=" + strings.Repeat("zz", 32), keys, core.SignatureInvalid},
		{"empty", "", keys, core.SignatureInvalid},
		{"only the prefix", "sha256=", keys, core.SignatureInvalid},
		{"malformed and no key", "x", nil, core.SignatureUnchecked},
	} {
		d := core.Delivery{Header: event("push"), Body: []byte(docBody), Payload: []byte("{}")}
		d.Header.Set("X-Hub-Signature-256", c.signature)
		if got := golden.Verify(t, Provider{}, d, c.keys); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}

func sign(key string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(docBody))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestSHA1AloneIsWeak(t *testing.T) {
	t.Parallel()
	d := core.Delivery{Header: event("push"), Body: []byte(docBody)}
	keys := []core.Secret{core.NewSecret(docSecret)}
	if got := golden.Verify(t, Provider{}, d, keys); got != core.SignatureNone {
		t.Errorf("unsigned: %s", got)
	}
	d.Header.Set("X-Hub-Signature", "sha1="+strings.Repeat("0", 40))
	if got := golden.Verify(t, Provider{}, d, keys); got != core.SignatureWeak {
		t.Errorf("signed with SHA-1: %s", got)
	}
	d.Header.Set("X-Hub-Signature-256", docSignature)
	if got := golden.Verify(t, Provider{}, d, keys); got != core.SignatureValid {
		t.Errorf("signed with both: %s", got)
	}
}

func TestSHA1IfItIsSwitchedOn(t *testing.T) {
	t.Parallel()
	mac := hmac.New(sha1.New, []byte(docSecret))
	mac.Write([]byte(docBody))
	right := "sha1=" + hex.EncodeToString(mac.Sum(nil))
	for _, c := range []struct {
		why, old, signature string
		want                core.Signature
	}{
		{"right", right, "", core.SignatureValid},
		{"wrong", "sha1=" + strings.Repeat("0", 40), "", core.SignatureInvalid},
		{"the other's prefix", "sha256=" + right[5:], "", core.SignatureInvalid},
		{"SHA-256 counts if there is one", right, "sha256=" + strings.Repeat("0", 64), core.SignatureInvalid},
		{"SHA-256 alone", "", docSignature, core.SignatureValid},
		{"none", "", "", core.SignatureNone},
	} {
		d := core.Delivery{Header: event("push"), Body: []byte(docBody)}
		for name, value := range map[string]string{"X-Hub-Signature": c.old, "X-Hub-Signature-256": c.signature} {
			if value != "" {
				d.Header.Set(name, value)
			}
		}
		if got := golden.Verify(t, Provider{SHA1: true}, d, []core.Secret{core.NewSecret(docSecret)}); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}

func TestTheBodyIsWhatIsSigned(t *testing.T) {
	t.Parallel()
	body := []byte("payload=%7B%7D&email_success=1")
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write(body)
	d, err := core.NewDelivery(event("push"), body)
	if err != nil {
		t.Fatal(err)
	}
	d.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	if got := golden.Verify(t, Provider{}, d, []core.Secret{core.NewSecret("key")}); got != core.SignatureValid {
		t.Errorf("a form: %s", got)
	}
}
