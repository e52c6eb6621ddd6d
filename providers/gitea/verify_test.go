package gitea

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

func sign(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestVerify(t *testing.T) {
	t.Parallel()
	const payload = `{"ref":"refs/heads/main"}`
	good, keys := sign("key", payload), []core.Secret{core.NewSecret("key")}
	for _, c := range []struct {
		why, header, value string
		keys               []core.Secret
		want               core.Signature
	}{
		{"Forgejo's", "X-Forgejo-Signature", good, keys, core.SignatureValid},
		{"Gitea's", "X-Gitea-Signature", good, keys, core.SignatureValid},
		{"Gogs'", "X-Gogs-Signature", good, keys, core.SignatureValid},
		{"GitHub's form", "X-Hub-Signature-256", "sha256=" + good, keys, core.SignatureValid},
		{"one of several keys", "X-Gitea-Signature", good, []core.Secret{core.NewSecret("x"), {}, core.NewSecret("key")}, core.SignatureValid},
		{"upper case", "X-Gitea-Signature", strings.ToUpper(good), keys, core.SignatureValid},
		{"another key", "X-Gitea-Signature", good, []core.Secret{core.NewSecret("x")}, core.SignatureInvalid},
		{"no keys", "X-Gitea-Signature", good, nil, core.SignatureUnchecked},
		{"an empty key", "X-Gitea-Signature", sign("", payload), []core.Secret{{}}, core.SignatureUnchecked},
		{"cut off", "X-Gitea-Signature", good[:62], keys, core.SignatureInvalid},
		{"not hex", "X-Gitea-Signature", "zz" + good[2:], keys, core.SignatureInvalid},
		{"none", "X-Gitea-Signature", "", keys, core.SignatureNone},
		{"none in GitHub's form", "X-Hub-Signature-256", "sha256=", keys, core.SignatureNone},
		{"SHA-1 alone", "X-Hub-Signature", "sha1=" + strings.Repeat("0", 40), keys, core.SignatureNone},
	} {
		d := deliver(t, serverHeader("Forgejo", "push"), payload)
		d.Header.Set(c.header, c.value)
		if got := golden.Verify(t, Provider{}, d, c.keys); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}

// The server's own signature counts, also if another one beside it would do.
func TestTheOwnSignatureCounts(t *testing.T) {
	t.Parallel()
	d := deliver(t, serverHeader("Forgejo", "push"), `{}`)
	d.Header.Set("X-Forgejo-Signature", sign("x", `{}`))
	d.Header.Set("X-Gitea-Signature", sign("key", `{}`))
	if got := golden.Verify(t, Provider{}, d, []core.Secret{core.NewSecret("key")}); got != core.SignatureInvalid {
		t.Errorf("got %s", got)
	}
}

// In a form the JSON text is signed; GitHub signs the form.
func TestTheJSONTextOfAFormIsSigned(t *testing.T) {
	t.Parallel()
	const payload = "{\n  \"ref\": \"refs/heads/größer & more\"\n}"
	form := "payload=" + url.QueryEscape(payload)
	for text, want := range map[string]core.Signature{payload: core.SignatureValid, form: core.SignatureInvalid} {
		d := deliver(t, serverHeader("Gitea", "push"), form)
		d.Header.Set("X-Gitea-Signature", sign("key", text))
		if got := golden.Verify(t, Provider{}, d, []core.Secret{core.NewSecret("key")}); got != want {
			t.Errorf("%s signed: %s, want %s", text, got, want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(sign("key", "{}"), []byte("{}"))
	f.Add("sha256=", []byte("payload={}"))
	f.Fuzz(func(t *testing.T, signature string, body []byte) {
		d := core.Delivery{Header: serverHeader("Gitea", "push"), Body: body, Payload: body}
		d.Header["X-Gitea-Signature"] = []string{signature}
		got := golden.Verify(t, Provider{}, d, []core.Secret{core.NewSecret("key")})
		valid := strings.EqualFold(signature, sign("key", string(body)))
		if (got == core.SignatureValid) != valid {
			t.Fatalf("%q of %q: %s", signature, body, got)
		}
	})
}
