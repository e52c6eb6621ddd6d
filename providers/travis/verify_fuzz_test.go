package travis

import (
	"bytes"
	"encoding/base64"
	"net/textproto"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

// signedOnce is `{"a":1}`, signed by a key that was thrown away.
const (
	signedKey = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsmEQFSgEEgYHWcmKAmf/
PGIRlqluL2/FeiMc0TYrBBAq+YoYFs0eBgxGBnXGwIfOUN2u2R99s77zxSqfY3jQ
MymmKNNeBgaFxjB9d+679pAcx74pMnz9akryv7ZqDhermsvdp+yqJEg57LRJ5wCT
G1PraWsjai41rJOwxJhP/SOhZKcbGtTumtU/jsNUtp2S5/wOG1pO0RGfbFIquBif
3qv9dTPQ/FGgeVO6z9YZT0bWTuB85nTFLxS329DyrJJGboq6h9zz3JPc8NvlTHQR
kAceGk53on37kJgnDVIr1VngnTVwZizcwR7aavkX4rggJyEPiVijP9U/R0WuVE2L
pwIDAQAB
-----END PUBLIC KEY-----
`
	signedBy = `WnWT0fJ/oxdVhS6mOg0T3+DiYyPMn6dqLVHjoOUtiDe70K2ZxfiwpadGC9gSLuCA09JTKcZ6tUJcWLIp69am7EbwoG4wMUwbHSrkVANs8k4+HnZepJ173slhHid98N0qZVK1U3flGFeloePCEFAWPsAxk/7TtB+9p8kWzU/7EzFGWoQjVm9ta84d7Oh1/zQ1+cXXWyY0hK11PjUns7yJEUIGpCGYJKi7VnoNEoUmbVLmJ6e8ra9CQrnSSR/czEKdC9k0YvDW4IOuBR1+1sWtdGz4FmE+aG7fzpOG5lMrbC57BTZAGmuDIeoI80ryGc/cvs8Q6SEz8Yp78CzL+TyozQ==`
)

// A payload is believed with the one signature that its key made, whatever else
// is offered as a signature or beside the key.
func FuzzVerify(f *testing.F) {
	payload := []byte(`{"a":1}`)
	for _, key := range []string{"", signedKey, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "-----BEGIN RSA PUBLIC KEY-----\nMAYCAQACAQE=\n-----END RSA PUBLIC KEY-----\n"} {
		for _, signature := range []string{"", signedBy, "AAAA", "!", signedBy[:100], signedBy + "\n"} {
			f.Add(key, signature, payload)
		}
	}
	f.Add(signedKey, signedBy, []byte(`{"a":2}`))
	known, err := base64.StdEncoding.DecodeString(signedBy)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, signature string, text []byte) {
		d := core.Delivery{Header: textproto.MIMEHeader{"Signature": {signature}}, Body: text, Payload: text}
		given, err := base64.StdEncoding.DecodeString(signature)
		right := err == nil && bytes.Equal(given, known) && bytes.Equal(text, payload)
		verify := func(keys ...core.Secret) bool { return golden.Verify(t, Provider{}, d, keys) == core.SignatureValid }
		if got := verify(core.NewSecret(signedKey)); got != right {
			t.Fatalf("%q of %q is believed: %t, want %t", signature, text, got, right)
		}
		if got, alone := verify(core.NewSecret(key), core.NewSecret(signedKey)), verify(core.NewSecret(key)); got != (right || alone) {
			t.Fatalf("%q of %q is believed beside %q: %t", signature, text, key, got)
		}
	})
}
