// Package router sends requests to apps by the host they name.
//
//	r := router.New(router.Options{Lookup: lookup, Pick: supervisor.Pick})
//	server := &http.Server{Handler: r}
//
// It streams in both directions, passes WebSockets through and says in
// X-Forwarded-For, -Host and -Proto who asked for what. What a client sent in
// these headers is dropped; what a trusted proxy says about the client is passed on.
package router
