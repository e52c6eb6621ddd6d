package travis

import (
	"encoding/json"
	"encoding/pem"
	"testing"
)

// Reading an answer returns the key in it, in PEM, or an error.
func FuzzRead(f *testing.F) {
	const key = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\n9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==\n-----END PUBLIC KEY-----"
	answer := func(key string) []byte {
		text, err := json.Marshal(map[string]any{"config": map[string]any{"notifications": map[string]any{"webhook": map[string]any{"public_key": key}}}})
		if err != nil {
			f.Fatal(err)
		}
		return text
	}
	for _, seed := range []string{key, "", "key", key + "\n" + key, "\r\n" + key + "trailing", "-----BEGIN X-----\n-----END X-----", "-----BEGIN PUBLIC KEY-----\na: b\n\nAAAA\n-----END PUBLIC KEY-----"} {
		f.Add(answer(seed))
	}
	for _, seed := range []string{``, `{}`, `[]`, `null`, `<html>`, `{"config":[]}`, `{"config":{"notifications":{"webhook":{"public_key":7}}}}`, `{"CONFIG":{}}{}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := read(text)
		if err != nil {
			if len(keys) != 0 {
				t.Fatalf("%q: %v, and %d keys", text, err, len(keys))
			}
			return
		}
		if len(keys) != 1 || !json.Valid(text) {
			t.Fatalf("%q: %d keys", text, len(keys))
		}
		if block, _ := pem.Decode([]byte(keys[0].Reveal())); block == nil {
			t.Fatalf("%q: the key %q is not PEM", text, keys[0].Reveal())
		}
		written, err := json.Marshal(map[string]any{"config": map[string]any{"notifications": map[string]any{"webhook": map[string]any{"public_key": keys[0].Reveal()}}}})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := read(written); err != nil || len(again) != 1 || !again[0].Equal(keys[0]) {
			t.Fatalf("%q can not be read again: %v", keys[0].Reveal(), err)
		}
	})
}
