package gitlab

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

const (
	token   = "a secret token"
	signing = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of the Standard Webhooks documentation
)

func TestVerifyToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why, token string
		keys       []core.Secret
		want       core.Signature
	}{
		{"no token", "", []core.Secret{core.NewSecret(token)}, core.SignatureNone},
		{"the token", token, []core.Secret{core.NewSecret(token)}, core.SignatureValid},
		{"the token among others", token, []core.Secret{core.NewSecret("x"), core.NewSecret(""), core.NewSecret(signing), core.NewSecret(token)}, core.SignatureValid},
		{"another token", token, []core.Secret{core.NewSecret("x")}, core.SignatureInvalid},
		{"a part of the token", token[:5], []core.Secret{core.NewSecret(token)}, core.SignatureInvalid},
		{"another case", strings.ToUpper(token), []core.Secret{core.NewSecret(token)}, core.SignatureInvalid},
		{"no keys", token, nil, core.SignatureUnchecked},
		{"an empty key", token, []core.Secret{core.NewSecret("")}, core.SignatureUnchecked},
	} {
		d := core.Delivery{Header: header("")}
		if c.token != "" {
			d.Header.Set("X-Gitlab-Token", c.token)
		}
		if got := golden.Verify(t, Provider{}, d, c.keys); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}

// sign returns a signature as GitLab makes it.
func sign(tb testing.TB, key, id, timestamp, body string) string {
	tb.Helper()
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	if err != nil {
		tb.Fatal(err)
	}
	mac := hmac.New(sha256.New, decoded)
	mac.Write([]byte(id + "." + timestamp + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// The values are those of the specification of Standard Webhooks.
func TestVerifySignatureOfTheSpecification(t *testing.T) {
	t.Parallel()
	d := core.Delivery{Header: header(""), Body: []byte(`{"test": 2432232314}`)}
	d.Header.Set("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	d.Header.Set("Webhook-Timestamp", "1614265330")
	d.Header.Set("Webhook-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	p := Provider{Now: func() time.Time { return time.Unix(1614265330, 0) }}
	if got := golden.Verify(t, p, d, []core.Secret{core.NewSecret(signing)}); got != core.SignatureValid {
		t.Errorf("got %s", got)
	}
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	const id, body = "f5e5f430", `{"object_kind":"push"}`
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	good := sign(t, signing, id, at(0), body)
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another"))
	for _, c := range []struct {
		why, id, timestamp, signature string
		keys                          []core.Secret
		want                          core.Signature
	}{
		{"right", id, at(0), good, []core.Secret{core.NewSecret(signing)}, core.SignatureValid},
		{"one of several keys", id, at(0), good, []core.Secret{core.NewSecret(token), core.NewSecret(other), core.NewSecret(signing)}, core.SignatureValid},
		{"one of several signatures", id, at(0), "v2,x v1, v1,!! " + sign(t, other, id, at(0), body) + " " + good, []core.Secret{core.NewSecret(signing)}, core.SignatureValid},
		{"4 minutes ago", id, at(-4 * time.Minute), sign(t, signing, id, at(-4*time.Minute), body), []core.Secret{core.NewSecret(signing)}, core.SignatureValid},
		{"in 4 minutes", id, at(4 * time.Minute), sign(t, signing, id, at(4*time.Minute), body), []core.Secret{core.NewSecret(signing)}, core.SignatureValid},
		{"6 minutes ago", id, at(-6 * time.Minute), sign(t, signing, id, at(-6*time.Minute), body), []core.Secret{core.NewSecret(signing)}, core.SignatureInvalid},
		{"in 6 minutes", id, at(6 * time.Minute), sign(t, signing, id, at(6*time.Minute), body), []core.Secret{core.NewSecret(signing)}, core.SignatureInvalid},
		{"no timestamp", id, "", sign(t, signing, id, "", body), []core.Secret{core.NewSecret(signing)}, core.SignatureInvalid},
		{"a huge timestamp", id, "99999999999999999999", sign(t, signing, id, "99999999999999999999", body), []core.Secret{core.NewSecret(signing)}, core.SignatureInvalid},
		{"the earliest timestamp", id, "-9223372036854775808", sign(t, signing, id, "-9223372036854775808", body), []core.Secret{core.NewSecret(signing)}, core.SignatureInvalid},
		{"another id", "x", at(0), good, []core.Secret{core.NewSecret(signing)}, core.SignatureInvalid},
		{"another timestamp", id, at(time.Second), good, []core.Secret{core.NewSecret(signing)}, core.SignatureInvalid},
		{"another key", id, at(0), good, []core.Secret{core.NewSecret(other)}, core.SignatureInvalid},
		{"a key without prefix", id, at(0), good, []core.Secret{core.NewSecret(signing[6:])}, core.SignatureInvalid},
		{"a key that is not base64", id, at(0), good, []core.Secret{core.NewSecret("whsec_!")}, core.SignatureInvalid},
		{"a key of no bytes", id, at(0), sign(t, "whsec_", id, at(0), body), []core.Secret{core.NewSecret("whsec_")}, core.SignatureInvalid},
		{"no keys", id, at(0), good, nil, core.SignatureUnchecked},
		{"another version", id, at(0), "v1a" + good[2:], []core.Secret{core.NewSecret(signing)}, core.SignatureInvalid},
		{"no version", id, at(0), good[3:], []core.Secret{core.NewSecret(signing)}, core.SignatureInvalid},
		{"a thousand others", id, at(0), strings.Repeat(sign(t, other, id, at(0), body)+" ", 1000), []core.Secret{core.NewSecret(signing)}, core.SignatureInvalid},
	} {
		d := core.Delivery{Header: header(""), Body: []byte(body)}
		d.Header.Set("Webhook-Id", c.id)
		d.Header.Set("Webhook-Timestamp", c.timestamp)
		d.Header.Set("Webhook-Signature", c.signature)
		p := Provider{Now: func() time.Time { return now }}
		if got := golden.Verify(t, p, d, c.keys); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
		// A token beside the signature is enough.
		d.Header.Set("X-Gitlab-Token", token)
		if got := golden.Verify(t, p, d, append(c.keys, core.NewSecret(token))); got != core.SignatureValid {
			t.Errorf("%s, with the token: %s", c.why, got)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("id", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "", []byte("{}"))
	f.Fuzz(func(t *testing.T, id, timestamp, signature, token string, body []byte) {
		d := core.Delivery{Header: header(""), Body: body}
		d.Header["Webhook-Id"], d.Header["Webhook-Timestamp"] = []string{id}, []string{timestamp}
		d.Header["Webhook-Signature"], d.Header["X-Gitlab-Token"] = []string{signature}, []string{token}
		p := Provider{Now: func() time.Time { return time.Unix(1614265330, 0) }}
		if got := golden.Verify(t, p, d, []core.Secret{core.NewSecret(signing), core.NewSecret("another")}); got == core.SignatureValid && token != "another" && token != signing {
			t.Fatalf("valid: %q %q %q %q", id, timestamp, signature, body)
		}
	})
}
