// Package gitea reads the webhook deliveries of Gitea, Forgejo and Gogs.
//
// All three send their events under GitHub's names, in headers of their own and
// those of the servers that they descend from: Forgejo X-Forgejo-Event,
// X-Gitea-Event and X-Gogs-Event, Gitea the last two, Gogs the last one, and all
// of them X-GitHub-Event as well (docs.gitea.com and forgejo.org, "Webhooks"). So
// among several providers this one has to be asked before GitHub's.
//
// Payloads are smaller than GitHub's: a push lists at most five commits by
// default, and a deleted branch is reported by the event delete alone. See
// [Provider.Parse].
package gitea
