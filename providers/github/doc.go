// Package github reads GitHub's webhook deliveries: today's, those of the
// Nodejitsu service hook of 2012, and payloads that a person posts with curl.
//
// A delivery with the header X-GitHub-Event is GitHub's, and the header names the
// event (docs.github.com, "Webhook events and payloads"). A delivery without it is
// recognized by its shape: a push has ref, after, repository and commits, a ping has
// zen.
//
// A push is read as GitHub documents it, and with the differences of its older
// payloads (github/github-services, docs/github_payload): see [Provider.Parse]. Of
// every other event only the name and the repository are read, so that new events
// are not errors.
package github
