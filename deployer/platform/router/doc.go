// Package router sends requests to apps by their Host header.
//
//	r := router.New(router.Options{Lookup: lookup, Pick: supervisor.Pick})
//	server := &http.Server{Handler: r}
//
// It streams in both directions, supports WebSockets, and describes the client
// and its request in X-Forwarded-For, -Host and -Proto. Values of these headers
// that a client sent are dropped; those of a trusted proxy are used.
package router
