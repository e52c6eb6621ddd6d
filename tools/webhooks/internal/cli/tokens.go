package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func newTokens(streams IO) *cobra.Command {
	tokens := &cobra.Command{
		Use:   "tokens",
		Short: "Add, list and remove the API tokens of a user",
		Long:  "An API token is used in place of the password, as in `curl -u dscape:TOKEN`. It cannot change the account." + whoseAccount,
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
	return onAccount(cmd, streams, needsPassword, func(ctx context.Context, s *accountSession, args []string) error {
		if err := checkName("token", args[1]); err != nil {
			return err
		}
		token, err := s.accounts.AddAPIToken(ctx, args[0], args[1], *replace)
		if err != nil {
			return err
		}
		return s.reveal(args[1], "token", token)
	})
}

func newTokensList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list USER",
		Short:   "List the names of a user's API tokens",
		Example: "  webhooks tokens list dscape",
		Args:    exactly(1),
	}
	return onAccount(cmd, streams, needsToken, func(ctx context.Context, s *accountSession, args []string) error {
		names, err := s.accounts.APITokens(ctx, args[0])
		if err != nil {
			return err
		}
		return printList(&s.printer, names, func(name string) string { return name })
	})
}

func newTokensRemove(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove USER NAME",
		Short:   "Remove an API token",
		Example: "  webhooks tokens remove dscape travis",
		Args:    exactly(2),
	}
	return onAccount(cmd, streams, needsPassword, func(ctx context.Context, s *accountSession, args []string) error {
		if err := s.accounts.RemoveAPIToken(ctx, args[0], args[1]); err != nil {
			return err
		}
		return s.done(named("removed", args[1]), "removed %s", args[1])
	})
}
