// Package github reads repositories from GitHub, sets commit statuses there
// and tells whose an access token is: it implements [deploy.Source] and
// [auth.GitHub] on google/go-github.
//
//	client, err := github.New(github.Options{})
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	text, err := client.File(ctx, repository, commit, "package.json", token)
//
// # Where a token goes
//
// A token is sent to the API, scheme, host and port as configured, and nowhere
// else. go-github v60 puts it into the transport, from where it follows a
// redirect to any host (google/go-github#4171, mended in v85), so its own
// authentication is not used: the header is set by the transport of this
// package, on each request, after a look at where that request goes. The
// tarball, which GitHub serves from another host, is fetched by a second HTTP
// client that has no token at all, and only from the hosts allowed for it.
//
// # Where a connection goes
//
// Hosts are checked by name before a request is sent, and by address when the
// connection is made: one that the operator did not name must have a public
// address (RFC 6890), whatever its name resolves to, so that nobody can send us
// to a loopback, private, link-local or metadata address. The environment's
// proxies are not used, as they would hide where a connection ends.
//
// # Redirects
//
// A renamed repository answers with 301, 302 or 307, and GitHub asks that the
// request be repeated as it was (docs.github.com, "Best practices for using
// the REST API"). net/http would make a GET of a POST, so this package follows
// by itself, within the API only.
//
// # Failures
//
// Nothing is tried twice here. What passes is marked by [core.Transient]:
// network errors, 5xx, and rate limits with the time to wait. go-github v60
// takes 403 alone for a rate limit while GitHub sends 403 or 429
// (google/go-github#3951), so they are told apart here. Whoever calls sets the
// total time by the context; a server that stays silent is given up after
// [Options.HeaderTimeout] and [Options.IdleTimeout]. A host that fails ten times
// in a row is not asked for ten seconds, and calls fail at once.
package github
