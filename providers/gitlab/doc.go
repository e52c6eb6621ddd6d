// Package gitlab reads the webhook deliveries of GitLab, of GitLab.com and of
// own instances: webhooks of projects and groups, and system hooks.
//
// A delivery with the header X-Gitlab-Event is GitLab's. What it says is read from
// the payload's object_kind, or the event_name that system hooks have in its place
// (docs.gitlab.com, "Webhook events" and "System hooks"), because a signature
// covers the payload and not the header.
//
// Pushes and pipelines are read whole, see [Provider.Parse]. Of every other event
// its name, the repository and, if there are any, the ref and the commit are read.
// Payloads of custom webhook templates are not supported.
package gitlab
