// Package core is the domain of webhooks: a delivery comes in, becomes an
// entry, the entry becomes a deployment, and every step of it is a change on
// the feed.
//
// The package holds the nouns ([Delivery], [Event], [Entry], [Step],
// [Change], [Account]), the catalogue of error codes and nothing that does
// I/O. The use cases live beside it, one package each (deploy, status, auth),
// and declare the ports they need; adapters implement the ports and prove it
// with the suites of package coretest. The module depends on the standard
// library only.
package core
