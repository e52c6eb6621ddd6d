// Package redact removes credentials from what another party says.
//
// A server, or a proxy in front of it, may repeat a request's headers in its
// error message. Without care the token that was sent then appears in a log, in
// an entry and on the feed. Every adapter that sends a credential therefore
// passes what comes back through this package before it uses it for anything
// but its purpose:
//
//   - [Transport] for HTTP: it finds the credentials in the request itself and
//     cleans errors, status lines, headers and the bodies of refusals.
//   - [Redactor] for other protocols, and [Writer] for a stream of output.
//
// A credential is found as it is and in the forms that protocols give it:
// Base64, also of a longer text such as user:password, percent-encoding, and the
// escapes of JSON, HTML and Go.
package redact
