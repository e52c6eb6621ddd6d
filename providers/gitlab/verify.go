package gitlab

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
)

// tolerance is how far the timestamp of a signed delivery may be from the current
// time, as the Standard Webhooks specification recommends.
const tolerance = 5 * time.Minute

// Verify authenticates d by one of keys, which are secret tokens and signing
// tokens of webhooks. A delivery may carry either or both, and one is enough:
//
//   - a secret token, which GitLab sends in the header X-Gitlab-Token,
//   - a signing token, "whsec_" and 32 bytes in base64, with which GitLab signs id,
//     timestamp and body in the header webhook-signature (standardwebhooks.com).
//     The timestamp must be within five minutes of the current time.
//
// The result is [core.SignatureUnchecked] if there are no keys; an empty key does
// not count as one. Comparisons take constant time.
func (p Provider) Verify(d core.Delivery, keys []core.Secret) (core.Signature, int) {
	token, signature := core.NewSecret(field.Header(d, headerToken)), field.Header(d, headerSignature)
	if token.IsZero() && signature == "" {
		return core.SignatureNone, -1
	}
	found := core.SignatureUnchecked
	for i, key := range keys {
		switch {
		case key.IsZero():
			continue
		case key.Equal(token), signature != "" && p.signed(d, signature, key.Reveal()):
			return core.SignatureValid, i
		}
		found = core.SignatureInvalid
	}
	return found, -1
}

// signed reports whether one of the signatures of d was made with the signing
// token, and recently.
func (p Provider) signed(d core.Delivery, signatures, token string) bool {
	encoded, found := strings.CutPrefix(token, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil || len(key) == 0 || !p.recent(field.Header(d, headerTimestamp)) {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(field.Header(d, headerID) + "." + field.Header(d, headerTimestamp) + "."))
	mac.Write(d.Body)
	want := mac.Sum(nil)
	for signature := range strings.SplitSeq(signatures, " ") {
		version, text, _ := strings.Cut(signature, ",")
		got, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(got, want) {
			return true
		}
	}
	return false
}

// recent reports whether a timestamp is within the tolerance.
func (p Provider) recent(timestamp string) bool {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return false
	}
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	return now().Sub(time.Unix(seconds, 0)).Abs() <= tolerance
}
