// Package core is the domain of webhooks: a delivery comes in, becomes an
// entry, the entry becomes a deployment, and every step of it is a change on
// the feed.
//
// The package has the types of the domain ([Delivery], [Event], [Entry], [Step],
// [Change], [Account]) and the catalogue of error codes. It does no I/O. The use
// cases are beside it, one package each (deploy, status, auth),
// and declare the ports they need; adapters implement the ports and are tested
// by the suites of package coretest. The module depends on the standard
// library only.
package core
