package golden

import (
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// Verify returns what p finds about the signature of d, and checks that p names a
// key if, and only if, the signature is valid.
func Verify(tb testing.TB, p interface {
	Verify(d core.Delivery, keys []core.Secret) (core.Signature, int)
}, d core.Delivery, keys []core.Secret,
) core.Signature {
	tb.Helper()
	s, key := p.Verify(d, keys)
	switch {
	case s != core.SignatureValid && key != -1:
		tb.Errorf("the signature is %s, and made with the key %d", s, key)
	case s == core.SignatureValid && (key < 0 || key >= len(keys)):
		tb.Errorf("the signature is made with the key %d of %d", key, len(keys))
	case s == core.SignatureValid:
		if alone, _ := p.Verify(d, keys[key:key+1]); alone != core.SignatureValid {
			tb.Errorf("the signature is made with the key %d, and with that key alone it is %s", key, alone)
		}
	}
	return s
}
