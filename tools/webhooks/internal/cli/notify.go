package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

func newNotify(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Send the outcomes of a user's deployments to Slack, Discord, Telegram, …",
		Long: `Has messages sent to chat services when a deployment has succeeded or failed. The
address of a service contains its token and is read from a prompt or a file:

  slack+https://hooks.slack.com/services/…
  mattermost+https://HOST/hooks/…
  rocketchat+https://HOST/hooks/…
  googlechat+https://chat.googleapis.com/v1/spaces/…
  discord+https://discord.com/api/webhooks/…
  teams+https://…                               the URL of a Workflows webhook
  telegram://BOT:TOKEN@CHAT                     CHAT is a number, or the name of a channel
  matrix+https://HOST/ROOM-ID?token=TOKEN
  zulip+https://BOT-EMAIL:KEY@HOST/?channel=NAME&topic=TOPIC
                                                with %40 for the @ of the email address
  ntfy+https://ntfy.sh/TOPIC                    ?token=TOKEN if the topic needs one
  gotify+https://HOST/?token=TOKEN
  pushover+https://api.pushover.net/USER-KEY?token=TOKEN

A host with a private address must be listed in --private-hosts of the server. For
mail, see ` + "`webhooks users email`" + `.` + whoseAccount,
		Example: `  webhooks notify add dscape team --on change
  webhooks notify test dscape team`,
	}
	return group(cmd, newNotifyAdd(streams), newNotifyList(streams), newNotifyTest(streams), newNotifyRemove(streams))
}

func newNotifyAdd(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add USER NAME",
		Short: "Add a service that is notified",
		Long: `Adds a service, under a name of your choice, that is notified of the outcomes of a
user's deployments. It is tried by ` + "`webhooks notify test`" + `.`,
		Example: `  webhooks notify add dscape team                                   # prompts for the address
  webhooks notify add dscape alarm --app hello --on change --address-file address`,
		Args: exactly(2),
	}
	file := cmd.Flags().String("address-file", "", "file with the address of the service, - for stdin; default: WEBHOOKS_NOTIFY_ADDRESS, or a prompt")
	app := cmd.Flags().String("app", core.AnyApp, "the one app whose deployments are reported; * for all")
	replace := cmd.Flags().Bool("replace", false, "replace the service of that name")
	on := cmd.Flags().String("on", "each", "each: each outcome; change: a failure after a success, and a success after a failure")
	return onAccount(cmd, streams, needsToken, func(ctx context.Context, s *accountSession, args []string) error {
		if err := checkName("service", args[1]); err != nil {
			return err
		}
		address, err := secretInput{what: "Address of the service", flag: "address-file", variable: "NOTIFY_ADDRESS", file: *file}.read(ctx, streams)
		if err != nil {
			return err
		}
		if err := s.accounts.AddNotification(ctx, args[0], auth.Notification{Name: args[1], App: *app, On: *on}, address, *replace); err != nil {
			return err
		}
		return s.done(named("added", args[1]), "added %s; try it by `webhooks notify test %s %[1]s`", args[1], args[0])
	})
}

func newNotifyList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list USER",
		Short:   "List the services that are notified",
		Long:    "Lists the services that are notified, without their addresses.",
		Example: "  webhooks notify list dscape",
		Args:    exactly(1),
	}
	return onAccount(cmd, streams, needsToken, func(ctx context.Context, s *accountSession, args []string) error {
		services, err := s.accounts.Notifications(ctx, args[0])
		if err != nil {
			return err
		}
		return s.result(append([]auth.Notification{}, services...), func() error {
			table := [][]string{{"NAME", "APP", "ON"}}
			for _, n := range services {
				table = append(table, []string{n.Name, n.App, n.On})
			}
			return s.table(table)
		})
	})
}

func newNotifyTest(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "test USER NAME",
		Short:   "Send a message to a service",
		Long:    "Sends a message to a service from the server or, with the data folder, from this\nmachine, and reports what the service answers.",
		Example: "  webhooks notify test dscape team",
		Args:    exactly(2),
	}
	onAccount(cmd, streams, needsToken, func(ctx context.Context, s *accountSession, args []string) error {
		if err := s.accounts.TestNotification(ctx, args[0], args[1]); err != nil {
			return err
		}
		return s.done(named("sent", args[1]), "sent to %s", args[1])
	})
	cmd.Flags().Lookup("private-hosts").Hidden = false
	return cmd
}

func newNotifyRemove(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove USER NAME",
		Short:   "Notify a service no longer",
		Example: "  webhooks notify remove dscape team",
		Args:    exactly(2),
	}
	return onAccount(cmd, streams, needsToken, func(ctx context.Context, s *accountSession, args []string) error {
		if err := s.accounts.RemoveNotification(ctx, args[0], args[1]); err != nil {
			return err
		}
		return s.done(named("removed", args[1]), "removed %s", args[1])
	})
}
