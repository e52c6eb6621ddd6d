package serve

import "net/http"

// PolicyNone is a Content-Security-Policy for responses that are not pages.
const PolicyNone = "default-src 'none'; frame-ancestors 'none'"

// SecureHeaders sets the headers with which a browser does nothing with a
// response but what it is meant for: policy is its Content-Security-Policy;
// secure says that the client uses TLS, and has to keep doing so.
func SecureHeaders(h http.Header, policy string, secure bool) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
