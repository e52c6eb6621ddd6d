package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

func newSecrets(streams IO) *cobra.Command {
	secrets := &cobra.Command{
		Use:   "secrets",
		Short: "Add, list and remove the secrets that GitHub signs deliveries with",
		Long: `A webhook secret lets GitHub deploy for a user without a password: the URL of the
webhook is .../1/deploy?user=NAME, and the signature authenticates the sender. A
user may have several secrets, so that you can replace one without an outage.` + whoseAccount,
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
	return onAccount(cmd, streams, needsToken, func(ctx context.Context, s *accountSession, args []string) error {
		if err := checkName("secret", args[1]); err != nil {
			return err
		}
		fixed, err := target()
		if err != nil {
			return err
		}
		secret, err := s.accounts.AddWebhookSecret(ctx, args[0], auth.WebhookSecret{Name: args[1], Required: *required, Target: fixed}, *replace)
		if err != nil {
			return err
		}
		return s.reveal(args[1], "secret", secret)
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
	return onAccount(cmd, streams, needsToken, func(ctx context.Context, s *accountSession, args []string) error {
		fixed, err := target()
		if err != nil {
			return err
		}
		if err := s.accounts.ChangeSecret(ctx, args[0], args[1], fixed); err != nil {
			return err
		}
		changed := map[string]any{"changed": args[1], "target": fixed}
		if fixed == nil {
			return s.done(changed, "%s: the next delivery says what it deploys", args[1])
		}
		return s.done(changed, "%s: %s", args[1], fixed)
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
	return onAccount(cmd, streams, needsToken, func(ctx context.Context, s *accountSession, args []string) error {
		secrets, err := s.accounts.WebhookSecrets(ctx, args[0])
		if err != nil {
			return err
		}
		return printList(&s.printer, secrets, func(w auth.WebhookSecret) string {
			line := w.Name
			if w.Target != nil {
				line += "\t" + w.Target.String()
			}
			if w.Required {
				line += "\trequired"
			}
			return line
		})
	})
}

func newSecretsRemove(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove USER NAME",
		Short:   "Remove a webhook secret",
		Example: "  webhooks secrets remove dscape github",
		Args:    exactly(2),
	}
	return onAccount(cmd, streams, needsToken, func(ctx context.Context, s *accountSession, args []string) error {
		if err := s.accounts.RemoveSecret(ctx, args[0], args[1]); err != nil {
			return err
		}
		return s.done(named("removed", args[1]), "removed %s", args[1])
	})
}
