// Package github reads repositories from GitHub, sets commit statuses there
// and returns the user of an access token: it implements [deploy.Forge] and
// [auth.Login] on google/go-github.
//
//	client, err := github.New(github.Options{})
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	text, err := client.File(ctx, repository, commit, "package.json", token)
//
// # Tokens
//
// A token is sent only to the configured API: same scheme, host and port.
// go-github v60 sets the token in the transport, so it is sent to any host that
// a redirect names (google/go-github#4171, fixed in v85). Its authentication is
// not used; the transport of this package sets the header on each request after
// it has checked the destination. The tarball, which GitHub serves from another
// host, is fetched by a second HTTP client without a token, and only from the
// allowed hosts. Errors and log lines do not contain a token, even if GitHub or
// a proxy repeats the request in its answer; see package redact.
//
// # Destinations
//
// Hosts are checked by name before a request is sent, and by address when the
// connection is made: a host that the operator did not name must have a public
// address (RFC 6890), whatever its name resolves to. A redirect can not lead to
// a loopback, private, link-local or metadata address. The proxies of the
// environment are not used, because the address behind a proxy can not be
// checked.
//
// # Redirects
//
// The API answers 301, 302 or 307 for a renamed repository and expects the same
// request at the new address (docs.github.com, "Best practices for using the
// REST API"). net/http would turn a POST into a GET, so this package follows
// redirects itself, within the API only.
//
// # Failures
//
// Nothing is retried here. Temporary errors are wrapped with [core.Transient]:
// network errors, 5xx, and rate limits with the time to wait. go-github v60
// recognizes only 403 as a rate limit while GitHub sends 403 or 429
// (google/go-github#3951), so this package recognizes rate limits itself. The
// caller bounds the total time by the context; a server that stops sending is
// given up after [Options.HeaderTimeout] and [Options.IdleTimeout]. After ten
// failures in a row a host gets no requests for ten seconds, and calls fail at
// once. The log has one line when a host becomes unavailable and one when it is
// available again.
package github
