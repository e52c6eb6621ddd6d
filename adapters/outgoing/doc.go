// Package outgoing sends notifications of outcomes as webhooks: one POST to each
// of the operator's URLs. They are signed as GitHub's deliveries and as those of
// Standard Webhooks (https://www.standardwebhooks.com), so receivers of either can
// verify them.
//
//	POST /hook
//	Content-Type: application/json
//	X-Hub-Signature-256: sha256=HEX      HMAC-SHA256 of the body
//	webhook-id: ENTRY.REVISION           the same for each attempt
//	webhook-timestamp: 1700000000
//	webhook-signature: v1,BASE64         HMAC-SHA256 of id.timestamp.body
//
//	{"type":"deployment.ok","timestamp":"2026-11-23T10:00:00Z","data":{…}}
//
// data is the entry, as in `doc` of the HTTP API. Any 2xx is a success. Redirects
// are not followed. A host name with a private address is refused unless the
// operator allows it.
//
// The secret is any text. One of the form whsec_BASE64, as Standard Webhooks writes
// them, is decoded for webhook-signature, as its libraries do, but not for
// X-Hub-Signature-256. Any other secret has the format "raw" in its libraries.
package outgoing
