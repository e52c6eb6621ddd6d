package cli

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/app"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

func newUsers(streams IO) *cobra.Command {
	users := &cobra.Command{
		Use:   "users",
		Short: "Add, list and remove users, who may deploy",
		Long: `Adds, lists, invites and removes users: on the machine of a running server as an
operating system user who may read its data folder, and from another machine as an
admin. Users change their own password and mail address by passwd and email.`,
		Example: `  webhooks users add dscape
  pwgen 20 1 | webhooks users add ci --new-password-file -
  webhooks users admin dscape     # may do all of this after webhooks login
  webhooks users list`,
	}
	return group(users, newUsersAdd(streams), newUsersList(streams), newUsersPasswd(streams), newUsersInvite(streams),
		newUsersConfirm(streams), newUsersEmail(streams), newUsersAdmin(streams), newUsersRemove(streams))
}

// whoseUsers is a part of the help texts of commands that change users.
const whoseUsers = `

With --to, WEBHOOKS_TO or a login (see ` + "`webhooks login`" + `), the command calls that platform,
and you must be an admin of it: see ` + "`webhooks users admin`" + `. With --data or WEBHOOKS_DATA,
or without any of these, it calls the server on this machine: run it as an operating
system user who may read the data folder.`

// whoseUser is a part of the help texts of commands that change one's own user.
const whoseUser = `

With --to, WEBHOOKS_TO or a login (see ` + "`webhooks login`" + `), it is your own account at that
platform. With --data or WEBHOOKS_DATA, or without any of these, it is the account of
any user of the server on this machine: run it as an operating system user who may
read the data folder.`

// onUsers makes cmd change the users of a platform: as an admin of it, or on the
// server of the data folder.
func onUsers(cmd *cobra.Command, streams IO, what needs, do func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	r := platformRemote()
	r.declareUser(cmd)
	cmd.Long = cmp.Or(cmd.Long, cmd.Short+".") + whoseUsers
	return r.orDataFolder(cmd, streams, what, do)
}

// onOwnUser makes cmd change the user that its first argument names: at a platform as
// that user, or on the server of the data folder.
func onOwnUser(cmd *cobra.Command, streams IO, do func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	r := platformRemote()
	r.own = true
	cmd.Long = cmp.Or(cmd.Long, cmd.Short+".") + whoseUser
	return r.orDataFolder(cmd, streams, needsPassword, do)
}

// orDataFolder makes cmd call the platform, or the server of the data folder.
func (r *remote) orDataFolder(cmd *cobra.Command, streams IO, what needs, do func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	r.noToken = what == needsPassword
	r.declare(cmd, "none: the server of the data folder")
	settings := config.Declare(cmd.Flags())
	settings.Show("data", "platform-url", "platform-key-file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			if err := checkName("user", args[0]); err != nil {
				return err
			}
		}
		elsewhere, err := r.chosen(cmd, streams)
		switch {
		case err != nil:
			return err
		case elsewhere:
			if r.own {
				r.user = args[0]
			}
			return r.run(cmd, streams, time.Minute, args, func(ctx context.Context, c caller, password core.Secret, args []string) error {
				return callPlatform(c, password, func(s *session) error { return do(ctx, s, args) })
			})
		}
		return withPlatform(cmd, streams, settings, func(ctx context.Context, c *nodejitsu.Client, _ config.Config) error {
			return do(ctx, &session{caller: caller{printer: printer{streams: streams, output: r.output}}, client: c}, args)
		})
	}
	return cmd
}

func newUsersAdd(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user",
		Example: `  webhooks users add dscape --email dscape@example.com
  webhooks users add boss --admin`,
		Args: exactly(1),
	}
	email := cmd.Flags().String("email", "", "mail address of the user")
	admin := cmd.Flags().Bool("admin", false, "let the user add and remove users")
	file := newPasswordFlag(cmd)
	return onUsers(cmd, streams, needsPassword, func(ctx context.Context, s *session, args []string) error {
		password, err := readPassword(ctx, streams, *file)
		if err != nil {
			return err
		}
		if err := s.client.CreateUser(ctx, nodejitsu.User{Username: args[0], Password: password, Email: *email}); err != nil {
			return err
		}
		if *admin {
			if err := s.client.SetAdmin(ctx, args[0], true); err != nil {
				return err
			}
		}
		return s.done(named("added", args[0]), "added %s", args[0])
	})
}

func newUsersList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Example: "  webhooks users list\n  webhooks users list --output json",
		Args:    exactly(0),
	}
	return onUsers(cmd, streams, needsToken, func(ctx context.Context, s *session, _ []string) error {
		users, err := s.client.Users(ctx)
		if err != nil {
			return err
		}
		type row struct {
			Username string `json:"username"`
			Email    string `json:"email,omitempty"`
			Admin    bool   `json:"admin,omitempty"`
		}
		rows, table := []row{}, [][]string{}
		for _, user := range users {
			role := ""
			if user.Admin {
				role = "admin"
			}
			rows = append(rows, row{user.Username, user.Email, user.Admin})
			table = append(table, []string{user.Username, user.Email, role})
		}
		return s.result(rows, func() error { return s.table(table) })
	})
}

func newUsersPasswd(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Set a user's password",
		Example: `  webhooks users passwd dscape
  printf '%s\n' "$OLD" "$NEW" | webhooks users passwd dscape --password-file - --new-password-file -`,
		Args: exactly(1),
	}
	file := newPasswordFlag(cmd)
	return onOwnUser(cmd, streams, func(ctx context.Context, s *session, args []string) error {
		password, err := readPassword(ctx, streams, *file)
		if err != nil {
			return err
		}
		if err := s.client.UpdateUser(ctx, nodejitsu.User{Username: args[0], Password: password}); err != nil {
			return err
		}
		return s.done(named("changed", args[0]), "changed the password of %s", args[0])
	})
}

func newUsersInvite(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "invite NAME",
		Short: "Create a code with which a user sets a password",
		Long: `Creates a code with which a user can set a password once, within a day: by
` + "`webhooks users confirm NAME`" + ` or ` + "`jitsu users confirm NAME CODE`" + `. Older codes become invalid.`,
		Example: "  webhooks users invite dscape",
		Args:    exactly(1),
	}
	return onUsers(cmd, streams, needsPassword, func(ctx context.Context, s *session, args []string) error {
		code, err := s.client.InviteUser(ctx, args[0])
		if err != nil {
			return err
		}
		return s.reveal(args[0], "code", code)
	})
}

func newUsersConfirm(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "confirm NAME",
		Short: "Set your password with a code",
		Long: `Sets your password with the code that an admin has created by
` + "`webhooks users invite`" + `. --to is the platform's URL: that of the service, with ` + app.PlatformPath + `.`,
		Example: "  webhooks users confirm dscape --to https://example.com" + app.PlatformPath,
		Args:    exactly(1),
	}
	r := platformRemote()
	r.fresh = true
	cmd.Flags().StringVar(&r.url, "to", "", "`URL` of the platform; default: WEBHOOKS_TO, or "+r.configured(defaults()))
	code := cmd.Flags().String("code-file", "", "`file` with the code, - for stdin; default: WEBHOOKS_CODE, or a prompt")
	file := newPasswordFlag(cmd)
	p := newPrinter(cmd, streams)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkName("user", args[0]); err != nil {
			return err
		}
		address, err := r.address(streams, login{})
		if err != nil {
			return err
		}
		given, err := secretInput{what: "Code of " + args[0], flag: "code-file", variable: "CODE", file: *code}.read(cmd.Context(), streams)
		if err != nil {
			return err
		}
		password, err := readPassword(cmd.Context(), streams, *file)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), shortCall)
		defer cancel()
		c := caller{printer: *p, user: args[0], url: address.String()}
		return callPlatform(c, core.Secret{}, func(s *session) error {
			if err := s.client.SetPassword(ctx, args[0], given, password); err != nil {
				return err
			}
			return s.done(named("changed", args[0]), "changed the password of %s; log in by `webhooks login`", args[0])
		})
	}
	return cmd
}

func newUsersEmail(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "email NAME ADDRESS",
		Short:   "Set a user's mail address",
		Long:    "Sets the address for mail about the deployments of a user. The settings --email-success and --email-errors say which mail is sent.",
		Example: "  webhooks users email dscape dscape@example.com",
		Args:    exactly(2),
	}
	return onOwnUser(cmd, streams, func(ctx context.Context, s *session, args []string) error {
		if err := s.client.UpdateUser(ctx, nodejitsu.User{Username: args[0], Email: args[1]}); err != nil {
			return err
		}
		return s.done(named("changed", args[0]), "changed the mail address of %s", args[0])
	})
}

func newUsersAdmin(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "admin NAME",
		Short: "Let a user add and remove users",
		Long: `Makes a user an admin, who adds, lists, invites and removes users from any machine,
with the password; a token of the user only lists them. What belongs to other users
is not accessible to an admin, but an admin can invite a user again, which sets a new
password.`,
		Example: "  webhooks users admin dscape\n  webhooks users admin dscape --revoke",
		Args:    exactly(1),
	}
	revoke := cmd.Flags().Bool("revoke", false, "let the user do so no longer")
	return onUsers(cmd, streams, needsPassword, func(ctx context.Context, s *session, args []string) error {
		if err := s.client.SetAdmin(ctx, args[0], !*revoke); err != nil {
			return err
		}
		is := "is"
		if *revoke {
			is = "is not"
		}
		return s.done(map[string]any{"changed": args[0], "admin": !*revoke}, "%s %s an admin", args[0], is)
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
	return onUsers(cmd, streams, needsPassword, func(ctx context.Context, s *session, args []string) error {
		if !*yes {
			sure, err := confirmed(ctx, streams, fmt.Sprintf("Remove %s with all apps?", args[0]))
			if err != nil {
				return err
			}
			if !sure {
				s.say("nothing was removed")
				return exitCode(1)
			}
		}
		if err := s.client.DestroyUser(ctx, args[0]); err != nil {
			return err
		}
		return s.done(named("removed", args[0]), "removed %s", args[0])
	})
}
