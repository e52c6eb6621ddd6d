// Package github reads GitHub's webhook deliveries: today's, those of the
// Nodejitsu service hook of 2012, and payloads that a person posts with curl.
//
// A delivery with the header X-GitHub-Event is GitHub's, and the header names
// the event (docs.github.com, "Webhook events and payloads"). One without is
// recognised by its shape: a push has ref, after and repository, a ping has zen.
//
// What a push says is read as GitHub documents it and as its older payloads
// differ (github/github-services, docs/github_payload): see [Provider.Parse].
// Of every other event only the name and the repository are read, whatever
// else it holds, so that events which GitHub has yet to invent are no errors.
package github
