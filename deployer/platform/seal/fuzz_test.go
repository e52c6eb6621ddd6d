package seal_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
)

// Parsed keys seal and open; an error never contains a key.
func FuzzParse(f *testing.F) {
	const key, other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="
	for _, seed := range []string{"", "#", key, key + "\n" + other, " # old\r\n" + key + "\r\n", key[:40], key + key, key + "\n" + key, "canary-no-key", "\x00" + key} {
		f.Add(seed, "ghp_secret", "alice/github")
	}
	f.Fuzz(func(t *testing.T, text, secret, what string) {
		keys, err := seal.Parse(core.NewSecret(text))
		if err != nil {
			for line := range strings.Lines(text) {
				if line = strings.TrimSpace(line); len(line) > 20 && strings.Contains(err.Error(), line) {
					t.Fatalf("the error contains a key: %v", err)
				}
			}
			return
		}
		if len(keys.IDs()) == 0 {
			t.Fatalf("%q was parsed to no keys", text)
		}
		sealed := keys.Seal(core.NewSecret(secret), what)
		if len(secret) > 8 && strings.Contains(sealed, secret) || !keys.Current(sealed) {
			t.Fatalf("%q is sealed as %s", secret, sealed)
		}
		if got, err := keys.Open(sealed, what); err != nil || got.Reveal() != secret {
			t.Fatalf("%q is opened as %q, %v", secret, got.Reveal(), err)
		}
		if _, err := keys.Open(sealed, what+"x"); err == nil {
			t.Fatalf("%q was opened for another purpose", secret)
		}
	})
}

// A text that was changed, moved or forged does not open.
func FuzzOpen(f *testing.F) {
	keys, err := seal.Parse(core.NewSecret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))
	if err != nil {
		f.Fatal(err)
	}
	// ghp_canary sealed with this key for alice/github.
	const sealed = "v1:630dcd29:3l1cPtmTsNF8+xCdU14nZShQ2ODeApmOy2Mj6nB8RSNgMgWjepw="
	for _, seed := range []string{"", "v1", "v1::", "v2:" + sealed[3:], sealed, sealed + "A", sealed[:len(sealed)-4], "v1:" + keys.IDs()[0] + ":", "v1:" + keys.IDs()[0] + ":AAAA", strings.ReplaceAll(sealed, ":", "::")} {
		f.Add(seed, "alice/github")
		f.Add(seed, "bob/github")
	}
	f.Fuzz(func(t *testing.T, text, what string) {
		got, err := keys.Open(text, what)
		if err != nil {
			if !got.IsZero() {
				t.Fatalf("%q: error %v with a secret", text, err)
			}
			return
		}
		// base64 has several texts for the same bytes.
		data := strings.TrimPrefix(text, "v1:"+keys.IDs()[0]+":")
		if _, err := base64.StdEncoding.DecodeString(data); err != nil || what != "alice/github" || got.Reveal() != "ghp_canary" {
			t.Fatalf("%q for %q opened as %q", text, what, got.Reveal())
		}
	})
}
