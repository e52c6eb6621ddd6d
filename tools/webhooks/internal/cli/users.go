package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

func newUsers(streams IO) *cobra.Command {
	users := &cobra.Command{
		Use:   "users",
		Short: "Add, list and remove users, who may deploy",
		Long: `Adds, lists, invites and removes users on the machine of a running server, as an
operating system user who may read its data folder. With passwd and email users
also change their own account from another machine.`,
		Example: `  webhooks users add dscape
  pwgen 20 1 | webhooks users add ci --password-stdin
  webhooks users list`,
	}
	return group(users, newUsersAdd(streams), newUsersList(streams), newUsersPasswd(streams), newUsersInvite(streams),
		newUsersEmail(streams), newUsersRemove(streams))
}

func newUsersAdd(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Add a user",
		Example: "  webhooks users add dscape --email dscape@example.com",
		Args:    exactly(1),
	}
	email := cmd.Flags().String("email", "", "mail address of the user")
	stdin := cmd.Flags().Bool("password-stdin", false, "read the password from stdin instead of asking")
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user := args[0]
		if err := checkName("user", user); err != nil {
			return err
		}
		password, err := readPassword(streams, *stdin)
		if err != nil {
			return err
		}
		if err := c.CreateUser(ctx, nodejitsu.User{Username: user, Password: password, Email: *email}); err != nil {
			return err
		}
		_, err = fmt.Fprintf(streams.Stdout, "added %s\n", user)
		return err
	})
}

func newUsersList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Example: "  webhooks users list\n  webhooks users list --output json",
		Args:    exactly(0),
	}
	out := outputFlag(cmd)
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, _ []string) error {
		users, err := c.Users(ctx)
		if err == nil && out.json() {
			type row struct {
				Username string `json:"username"`
				Email    string `json:"email,omitempty"`
			}
			rows := []row{}
			for _, user := range users {
				rows = append(rows, row{user.Username, user.Email})
			}
			return writeJSON(streams.Stdout, rows)
		}
		for _, user := range users {
			line := user.Username
			if user.Email != "" {
				line += "\t" + user.Email
			}
			if _, err := fmt.Fprintln(streams.Stdout, line); err != nil {
				return err
			}
		}
		return err
	})
}

func newUsersPasswd(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "passwd NAME",
		Short:   "Set a user's password",
		Example: "  webhooks users passwd dscape",
		Args:    exactly(1),
	}
	stdin := cmd.Flags().Bool("password-stdin", false, "read the password from stdin instead of asking")
	return onAccount(cmd, streams, needsPassword, func(ctx context.Context, s *accountSession, args []string) error {
		password, err := readPassword(streams, *stdin)
		if err != nil {
			return err
		}
		if err := s.accounts.UpdateUser(ctx, args[0], password, ""); err != nil {
			return err
		}
		return s.printf("changed the password of %s\n", args[0])
	})
}

func newUsersInvite(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "invite NAME",
		Short:   "Create a code with which a user sets a password",
		Long:    "Creates a code with which a user can set a password once, within a day: by `jitsu users confirm NAME CODE`. Older codes become invalid.",
		Example: "  webhooks users invite dscape",
		Args:    exactly(1),
	}
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user := args[0]
		if err := checkName("user", user); err != nil {
			return err
		}
		code, err := c.InviteUser(ctx, user)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(streams.Stdout, code.Reveal())
		return err
	})
}

func newUsersEmail(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "email NAME ADDRESS",
		Short:   "Set a user's mail address",
		Long:    "Sets the address for mail about the deployments of a user. The settings --email-success and --email-errors say which mail is sent.",
		Example: "  webhooks users email dscape dscape@example.com",
		Args:    exactly(2),
	}
	return onAccount(cmd, streams, needsPassword, func(ctx context.Context, s *accountSession, args []string) error {
		if err := s.accounts.UpdateUser(ctx, args[0], core.Secret{}, args[1]); err != nil {
			return err
		}
		return s.printf("changed the mail address of %s\n", args[0])
	})
}

func newUsersRemove(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove a user with all apps and tokens",
		Long:    "Removes a user with all tokens, and stops and removes all of the user's apps. This cannot be undone: you are asked to confirm it, unless --yes is set.",
		Example: "  webhooks users remove dscape\n  webhooks users remove dscape --yes",
		Args:    exactly(1),
	}
	yes := cmd.Flags().Bool("yes", false, "do not ask for confirmation")
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user := args[0]
		if err := checkName("user", user); err != nil {
			return err
		}
		if !*yes {
			sure, err := confirmed(ctx, streams, fmt.Sprintf("Remove %s with all apps?", user))
			if err != nil {
				return err
			}
			if !sure {
				_, _ = fmt.Fprintln(streams.Stderr, "nothing was removed")
				return exitCode(1)
			}
		}
		if err := c.DestroyUser(ctx, user); err != nil {
			return err
		}
		_, err := fmt.Fprintf(streams.Stdout, "removed %s\n", user)
		return err
	})
}
