package forgehttp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/nodejitsu/webhooks/core"
)

// Sign returns the HMAC-SHA256 of body in hex, as the forges sign their deliveries.
func Sign(secret core.Secret, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
