package providers

import (
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/bitbucket"
	"github.com/nodejitsu/webhooks/providers/gitea"
	"github.com/nodejitsu/webhooks/providers/github"
	"github.com/nodejitsu/webhooks/providers/gitlab"
	"github.com/nodejitsu/webhooks/providers/receive"
)

// Any returns a Receiver of the deliveries of GitHub, GitLab, Gitea, Forgejo, Gogs and
// Bitbucket that are signed with one of secrets. Another sender, such as Travis CI
// with its public keys, can be appended to its Senders.
func Any(secrets ...core.Secret) *receive.Receiver {
	r := &receive.Receiver{}
	for _, p := range []receive.Provider{gitlab.Provider{}, bitbucket.Provider{}, gitea.Provider{}, github.Provider{}} {
		r.Senders = append(r.Senders, receive.Sender{Provider: p, Keys: secrets})
	}
	return r
}
