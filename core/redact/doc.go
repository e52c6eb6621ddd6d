// Package redact removes credentials from the answers of other parties.
//
// A server, or a proxy in front of it, may repeat a request's headers in its
// error message. The token that was sent would then appear in a log, in an
// entry and on the feed. Every adapter that sends a credential therefore cleans
// answers with this package before they are logged or stored:
//
//   - [Transport] for HTTP: it finds the credentials in the request itself and
//     cleans errors, status lines, headers and the bodies of refusals.
//   - [Redactor] for other protocols, and [Writer] for a stream of output.
//
// A credential is found as it is and in the forms that protocols encode it in:
// Base64, also of a longer text such as user:password, percent-encoding, and the
// escapes of JSON, HTML and Go.
package redact
