// Package outgoing tells outcomes by webhooks of our own: one POST to each of
// the operator's URLs, signed in both of the usual ways, so that whatever
// checks GitHub's deliveries, or those of Standard Webhooks
// (https://www.standardwebhooks.com), checks ours.
//
//	POST /hook
//	Content-Type: application/json
//	X-Hub-Signature-256: sha256=HEX      HMAC-SHA256 of the body
//	webhook-id: ENTRY.REVISION           the same for each try
//	webhook-timestamp: 1700000000
//	webhook-signature: v1,BASE64         HMAC-SHA256 of id.timestamp.body
//
//	{"type":"deployment.ok","timestamp":"2026-11-23T10:00:00Z","data":{…}}
//
// data is the entry, as the HTTP API has it in `doc`. Any 2xx will do; redirects
// are not followed, and a name with a private address is not posted to unless
// the operator allows it.
//
// The secret is any text. One of the form whsec_BASE64, in which Standard
// Webhooks hands them out, is decoded for webhook-signature, as its libraries
// do; X-Hub-Signature-256 takes it as the text that it is. To its libraries,
// another one is given as "raw".
package outgoing
