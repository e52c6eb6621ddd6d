// Package providers reads the webhooks of GitHub, GitLab, Gitea, Forgejo, Gogs,
// Bitbucket and Travis CI.
//
// Each kind of sender has a package, whose Provider turns a core.Delivery, headers
// and bytes as they came, into a core.Event, and verifies signatures. Providers do no
// I/O, keep no state and start nothing, so that another program can use one of them
// alone: it then depends on module core and the standard library, and with travis on a
// YAML parser.
//
// Package receive makes an HTTP endpoint of them, and [Any] one for every sender.
package providers
