// Package forgesim is a stand-in for GitLab, Gitea, Forgejo, Gogs and Bitbucket (Cloud and Data Center) on this
// machine, for tests: what the service uses of their APIs, over real git repositories,
// and their webhooks. GitHub's is githubsim.
package forgesim
