package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/client"
)

func newConnect(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "connect KIND OWNER/REPO",
		Short: "Make the webhook of a repository, or check it",
		Long: `Makes the webhook of a repository on GitHub or another forge, with a secret of its
own, or mends the one that it made before. KIND is github, gitlab, gitea or
bitbucket. The server does that with the access token of the account that you
paired; the token must be allowed to manage webhooks. Then the forge sends a test
that deploys nothing, and the command says how it was answered. If the forge has
none, the server sends one to the address itself.

With --check nothing is changed: the deliveries that failed are delivered again,
which GitHub and GitLab do not do by themselves, and a webhook that GitLab has
disabled is enabled. When it starts, the server asks for those that no server
answered, for the webhooks that were made by this command.`,
		Example: `  webhooks connect github dscape/hello
  webhooks connect github dscape/hello --branch staging --app hello-staging --gate checks
  webhooks connect github dscape/hello --check`,
		Args: exactly(2),
	}
	target := targetFlags(cmd)
	host := cmd.Flags().String("forge", "", "host of the forge; default: the public one of its kind")
	check := cmd.Flags().Bool("check", false, "have delivered again what failed, and change nothing")
	return onAPI(cmd, streams, shortCall, func(ctx context.Context, s *apiSession, args []string) error {
		o := client.ConnectOptions{Host: *host, Repository: args[1], Check: *check}
		wanted, err := target()
		if err != nil {
			return err
		}
		if wanted != nil {
			o.Target = *wanted
		}
		c, err := s.api.Connect(ctx, args[0], o)
		switch {
		case err != nil:
			return err
		case *check:
			return s.done(c, "%s", sentAgain(c.Again))
		}
		return s.done(c, "%s", connected(c, o.Target))
	})
}

// sentAgain says how many deliveries were sent again.
func sentAgain(count int) string {
	switch count {
	case 0:
		return "no delivery failed"
	case 1:
		return "1 delivery was sent again"
	}
	return fmt.Sprintf("%d deliveries were sent again", count)
}

// connected says what became of a webhook.
func connected(c client.Connection, target core.Target) string {
	did := "changed"
	if c.Created {
		did = "made"
	}
	deploys := "the default branch"
	if !target.IsZero() {
		deploys = target.String()
	}
	text := fmt.Sprintf("%s the webhook %s\nit sends %s, with the secret %q, and deploys %s", did, c.URL, strings.Join(c.Events, ", "), c.Secret, deploys)
	switch {
	case c.Tested && c.Status == http.StatusOK:
		return text + "\nthe forge's test succeeded"
	case c.Tested && c.Status == 0:
		text += "\nthe forge got no answer to its test: can it reach this address?"
	case c.Tested:
		text += fmt.Sprintf("\nthe forge's test was answered with %d", c.Status)
	case !c.OwnTest:
		return text + "\nno test was sent; push something to try it"
	}
	switch {
	case !c.OwnTest:
	case c.OwnStatus == http.StatusOK:
		text += "\nthe server sent a test to the address itself, signed as the forge signs, which succeeded; push something to see that the forge reaches it, too"
	case c.OwnStatus == 0:
		text += "\nthe server sent a test to the address itself, which did not come back to it: does the address lead to it?"
	default:
		text += fmt.Sprintf("\nthe server sent a test to the address itself, which it answered with %d", c.OwnStatus)
	}
	return text
}
