package github

import (
	"regexp"
	"strings"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

// Hosts returns the hosts whose repositories the API serves, as repositories name
// them: that of the API without "api.". An API on this machine is a stand-in for
// that of github.com, or a proxy of it, and serves both.
func (c *Client) Hosts() []string {
	host := strings.TrimPrefix(strings.ToLower(c.base.Host), "api.")
	if forgehttp.Loopback(c.base.Hostname()) {
		return []string{core.GitHubHost, host}
	}
	return []string{host}
}

// tokenForm matches GitHub's tokens: those with a prefix (docs.github.com, "About
// authentication to GitHub", section "GitHub's token formats"), and the 40 hex
// digits from before April 2021.
var tokenForm = regexp.MustCompile(`^(gh[pousr]_\w+|github_pat_\w+|[0-9a-f]{40})$`)

// Pairing returns the forge as accounts are paired with it.
func (c *Client) Pairing() auth.Forge {
	return auth.Forge{
		Kind: core.TokenGitHub, Host: c.Hosts()[0], Name: "GitHub",
		Help:    "GitHub takes no passwords; make a personal access token in its settings and send that after the colon",
		IsToken: tokenForm.MatchString, Failed: core.CodeGitHubPairingFailed, Login: c,
	}
}
