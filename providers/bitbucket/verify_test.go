package bitbucket

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

func sign(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// The signature of Bitbucket's own documentation ("Secure webhooks").
func TestVerifyTheDocumentedSignature(t *testing.T) {
	t.Parallel()
	d := core.Delivery{Header: header("repo:push"), Body: []byte("Hello World!")}
	d.Header.Set("X-Hub-Signature", "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9")
	if got := golden.Verify(t, Provider{}, d, []core.Secret{core.NewSecret("It's a Secret to Everybody")}); got != core.SignatureValid {
		t.Errorf("got %s", got)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	const body = `{"push":{}}`
	good, keys := sign("key", body), []core.Secret{core.NewSecret("key")}
	for _, c := range []struct {
		why, value string
		keys       []core.Secret
		want       core.Signature
	}{
		{"right", good, keys, core.SignatureValid},
		{"one of several keys", good, []core.Secret{core.NewSecret("x"), core.NewSecret(""), core.NewSecret("key")}, core.SignatureValid},
		{"another key", good, []core.Secret{core.NewSecret("x")}, core.SignatureInvalid},
		{"no keys", good, nil, core.SignatureUnchecked},
		{"an empty key", sign("", body), []core.Secret{core.NewSecret("")}, core.SignatureUnchecked},
		{"none", "", keys, core.SignatureNone},
		{"only the prefix", "sha256=", keys, core.SignatureInvalid},
		{"no prefix", good[7:], keys, core.SignatureInvalid},
		{"SHA-1", "sha1=" + strings.Repeat("0", 40), keys, core.SignatureInvalid},
		{"cut off", good[:40], keys, core.SignatureInvalid},
	} {
		d := deliver(t, header("repo:push"), body)
		if c.value != "" {
			d.Header.Set("X-Hub-Signature", c.value)
		}
		if got := golden.Verify(t, Provider{}, d, c.keys); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(sign("key", "{}"), []byte("{}"))
	f.Fuzz(func(t *testing.T, signature string, body []byte) {
		d := core.Delivery{Header: header("repo:push"), Body: body}
		d.Header["X-Hub-Signature"] = []string{signature}
		digits, prefixed := strings.CutPrefix(signature, "sha256=")
		valid := prefixed && strings.EqualFold("sha256="+digits, sign("key", string(body)))
		if got := golden.Verify(t, Provider{}, d, []core.Secret{core.NewSecret("key")}); (got == core.SignatureValid) != valid {
			t.Fatalf("%q of %q: %s", signature, body, got)
		}
	})
}
