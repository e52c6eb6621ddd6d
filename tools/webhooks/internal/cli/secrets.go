package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

func newSecrets(streams IO) *cobra.Command {
	secrets := &cobra.Command{
		Use:   "secrets",
		Short: "Add, list and remove the secrets that GitHub signs deliveries with",
		Long: `A webhook secret lets GitHub deploy for a user without a password: the URL of the
webhook is .../1/deploy?user=NAME, and the signature authenticates the sender. A
user may have several secrets, so that you can replace one without an outage.`,
		Example: `  webhooks secrets add dscape github
  webhooks secrets add dscape github --required   # refuse deliveries that are not signed
  webhooks secrets remove dscape github`,
	}
	return group(secrets, newSecretsAdd(streams), newSecretsList(streams), newSecretsRemove(streams))
}

func newSecretsAdd(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add USER NAME",
		Short:   "Add a webhook secret and print it",
		Long:    "Adds a webhook secret and prints it. It is not shown again.",
		Example: "  webhooks secrets add dscape github",
		Args:    exactly(2),
	}
	required := cmd.Flags().Bool("required", false, "refuse deliveries of GitHub that are not signed, even with Basic auth")
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user, id, err := userAndName(args, "a secret")
		if err != nil {
			return err
		}
		secret := core.NewSecret(rand.Text())
		err = c.SetThirdPartyToken(ctx, user, core.ThirdPartyToken{
			ID: id, Provider: core.TokenWebhookSecret, App: core.AnyApp, Token: secret, Required: *required,
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(streams.Stdout, secret.Reveal())
		return err
	})
}

func newSecretsList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list USER",
		Short:   "List the names of a user's webhook secrets",
		Example: "  webhooks secrets list dscape",
		Args:    exactly(1),
	}
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user := args[0]
		if err := checkName("a user", user); err != nil {
			return err
		}
		tokens, err := c.ThirdPartyTokens(ctx, user)
		for _, token := range tokens {
			if token.Provider != core.TokenWebhookSecret {
				continue
			}
			line := token.ID
			if token.Required {
				line += "\trequired"
			}
			if _, err := fmt.Fprintln(streams.Stdout, line); err != nil {
				return err
			}
		}
		return err
	})
}

func newSecretsRemove(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove USER NAME",
		Short:   "Remove a webhook secret",
		Example: "  webhooks secrets remove dscape github",
		Args:    exactly(2),
	}
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user, id, err := userAndName(args, "a secret")
		if err != nil {
			return err
		}
		if err := c.DestroyThirdPartyToken(ctx, user, id); err != nil {
			return err
		}
		_, err = fmt.Fprintf(streams.Stdout, "removed %s\n", id)
		return err
	})
}

// userAndName returns the two arguments USER NAME.
func userAndName(args []string, what string) (user, id string, err error) {
	return args[0], args[1], cmp.Or(checkName("a user", args[0]), checkName(what, args[1]))
}
