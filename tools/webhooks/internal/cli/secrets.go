package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"

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
  webhooks secrets add dscape staging --branch staging --app hello-staging
  webhooks secrets remove dscape github`,
	}
	return group(secrets, newSecretsAdd(streams), newSecretsChange(streams), newSecretsList(streams), newSecretsRemove(streams))
}

func newSecretsAdd(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add USER NAME",
		Short: "Add a webhook secret and print it",
		Long: `Adds a webhook secret and prints it. It is not shown again. To replace a secret without
an outage, add another one, change it at the forge, and remove the former one.

Give each webhook a secret of its own: as no signature covers a URL, what the
deliveries of a secret deploy is fixed by --branch, --app, --root, --paths and
--gate or, without them, by the URL of the first delivery.`,
		Example: `  webhooks secrets add dscape github
  webhooks secrets add dscape staging --branch staging --app hello-staging
  webhooks secrets add dscape api --root packages/api --paths 'packages/api,packages/shared'`,
		Args: exactly(2),
	}
	target := targetFlags(cmd)
	replace := cmd.Flags().Bool("replace", false, "replace a secret of that name; deliveries that it signs are refused then")
	required := cmd.Flags().Bool("required", false, "refuse deliveries of GitHub that are not signed, even with Basic auth")
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user, id, err := userAndName(args, "secret")
		if err != nil {
			return err
		}
		fixed, err := target()
		if err != nil {
			return err
		}
		existing, err := c.ThirdPartyTokens(ctx, user)
		if err != nil {
			return err
		}
		var names []string
		for _, token := range existing {
			names = append(names, token.ID)
		}
		if err := refuseExisting("secret", id, names, *replace); err != nil {
			return err
		}
		secret := core.NewSecret(rand.Text())
		err = c.SetThirdPartyToken(ctx, user, core.ThirdPartyToken{
			ID: id, Provider: core.TokenWebhookSecret, App: core.AnyApp, Token: secret, Required: *required, Target: fixed,
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(streams.Stdout, secret.Reveal())
		return err
	})
}

func newSecretsChange(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "change USER NAME",
		Short: "Change what the deliveries of a webhook secret deploy",
		Long: `Changes what the deliveries of a webhook secret deploy. Without flags, the URL of
the next delivery says it.`,
		Example: `  webhooks secrets change dscape staging --branch next --app hello-staging
  webhooks secrets change dscape github    # as the URL of the next delivery says`,
		Args: exactly(2),
	}
	target := targetFlags(cmd)
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user, id, err := userAndName(args, "secret")
		if err != nil {
			return err
		}
		fixed, err := target()
		if err != nil {
			return err
		}
		tokens, err := c.ThirdPartyTokens(ctx, user)
		if err != nil {
			return err
		}
		for _, token := range tokens {
			if token.Provider != core.TokenWebhookSecret || token.ID != id {
				continue
			}
			if token.Target = fixed; fixed == nil {
				_, err = fmt.Fprintf(streams.Stdout, "%s: the next delivery says what it deploys\n", id)
			} else {
				_, err = fmt.Fprintf(streams.Stdout, "%s: %s\n", id, fixed)
			}
			return cmp.Or(c.SetThirdPartyToken(ctx, user, token), err)
		}
		return fmt.Errorf("%s has no webhook secret %q; see `webhooks secrets list %[1]s`", user, id)
	})
}

// targetFlags adds flags for what deliveries deploy. The function that it returns
// returns nil if none of them is set.
func targetFlags(cmd *cobra.Command) func() (*core.Target, error) {
	for name, usage := range map[string]string{
		"branch":     "the only `BRANCH` to deploy; default: the repository's default branch",
		"app":        "`NAME` of the app; default: the name in package.json",
		"root":       "`FOLDER` of the repository that has the app",
		"paths":      "comma-separated `PATTERNS`; a push that changes no such file is ignored",
		"gate":       "what a push waits for: \"checks\", a list of `CHECKS`, or \"none\": nothing, whatever .travis.yml says",
		"gate-empty": "what becomes of a push without checks: \"skip\" or \"deploy\"",
	} {
		cmd.Flags().String(name, "", usage)
	}
	return func() (*core.Target, error) {
		set := false
		target, err := core.NewTarget(func(name string) string {
			name = strings.ReplaceAll(name, "_", "-")
			set = set || cmd.Flags().Changed(name)
			value, _ := cmd.Flags().GetString(name)
			return value
		})
		if err != nil {
			return nil, &usageError{err}
		}
		if !set {
			return nil, nil
		}
		return &target, nil
	}
}

func newSecretsList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list USER",
		Short:   "List the names of a user's webhook secrets",
		Example: "  webhooks secrets list dscape",
		Args:    exactly(1),
	}
	out := outputFlag(cmd)
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user := args[0]
		if err := checkName("user", user); err != nil {
			return err
		}
		tokens, err := c.ThirdPartyTokens(ctx, user)
		tokens = slices.DeleteFunc(tokens, func(t core.ThirdPartyToken) bool { return t.Provider != core.TokenWebhookSecret })
		if err == nil && out.json() {
			return writeJSON(streams.Stdout, secretRows(tokens))
		}
		for _, token := range tokens {
			line := token.ID
			if token.Target != nil {
				line += "\t" + token.Target.String()
			}
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

// secretRow is a webhook secret without the secret.
type secretRow struct {
	Name     string            `json:"name"`
	Required bool              `json:"required"`
	Target   map[string]string `json:"target,omitempty"` // what its deliveries deploy, as parameters
}

func secretRows(tokens []core.ThirdPartyToken) []secretRow {
	rows := []secretRow{}
	for _, token := range tokens {
		row := secretRow{Name: token.ID, Required: token.Required}
		if token.Target != nil {
			row.Target = maps.Collect(token.Target.Parameters())
		}
		rows = append(rows, row)
	}
	return rows
}

func newSecretsRemove(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove USER NAME",
		Short:   "Remove a webhook secret",
		Example: "  webhooks secrets remove dscape github",
		Args:    exactly(2),
	}
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user, id, err := userAndName(args, "secret")
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
	return args[0], args[1], cmp.Or(checkName("user", args[0]), checkName(what, args[1]))
}

// refuseExisting fails if the name is one of those that exist, unless replace is
// set.
func refuseExisting(what, name string, existing []string, replace bool) error {
	if !replace && slices.Contains(existing, name) {
		return fmt.Errorf("the %s %q exists already, and programs may be using it: choose another name, or set --replace", what, name)
	}
	return nil
}
