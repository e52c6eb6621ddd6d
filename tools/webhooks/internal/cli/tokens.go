package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

func newTokens(streams IO) *cobra.Command {
	tokens := &cobra.Command{
		Use:   "tokens",
		Short: "Add, list and remove the API tokens of a user",
		Long:  "An API token is used in place of the password, as in `curl -u dscape:TOKEN`. It cannot change the account.",
		Example: `  webhooks tokens add dscape travis
  webhooks tokens list dscape
  webhooks tokens remove dscape travis`,
	}
	return group(tokens, newTokensAdd(streams), newTokensList(streams), newTokensRemove(streams))
}

func newTokensAdd(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add USER NAME",
		Short:   "Add an API token and print it",
		Long:    "Adds an API token and prints it. It is not shown again. A token of the same name is replaced only with --replace.",
		Example: "  webhooks tokens add dscape travis\n  webhooks tokens add dscape travis --replace",
		Args:    exactly(2),
	}
	replace := cmd.Flags().Bool("replace", false, "replace a token of that name, which is invalid then")
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user, token, err := userAndName(args, "token")
		if err != nil {
			return err
		}
		existing, err := tokenNames(ctx, c, user)
		if err = cmp.Or(err, refuseExisting("token", token, existing, *replace)); err != nil {
			return err
		}
		secret, err := c.CreateToken(ctx, user, token)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(streams.Stdout, secret.Reveal())
		return err
	})
}

func newTokensList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list USER",
		Short:   "List the names of a user's API tokens",
		Example: "  webhooks tokens list dscape",
		Args:    exactly(1),
	}
	out := outputFlag(cmd)
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user := args[0]
		if err := checkName("user", user); err != nil {
			return err
		}
		names, err := tokenNames(ctx, c, user)
		if err == nil && out.json() {
			return writeJSON(streams.Stdout, append([]string{}, names...))
		}
		for _, name := range names {
			if _, err := fmt.Fprintln(streams.Stdout, name); err != nil {
				return err
			}
		}
		return err
	})
}

func tokenNames(ctx context.Context, c *nodejitsu.Client, user string) (names []string, err error) {
	tokens, err := c.Tokens(ctx, user)
	for _, token := range tokens {
		names = append(names, token.Name)
	}
	return names, err
}

func newTokensRemove(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove USER NAME",
		Short:   "Remove an API token",
		Example: "  webhooks tokens remove dscape travis",
		Args:    exactly(2),
	}
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user, token, err := userAndName(args, "token")
		if err != nil {
			return err
		}
		if err := c.DestroyToken(ctx, user, token); err != nil {
			return err
		}
		_, err = fmt.Fprintf(streams.Stdout, "removed %s\n", token)
		return err
	})
}
