package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/adapters/chat"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

func newNotify(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Send the outcomes of a user's deployments to Slack, Discord, Telegram, …",
		Long: `Has messages sent to chat services when a deployment has succeeded or failed. The
address of a service contains its token and is read from a prompt or a file:

  slack+https://hooks.slack.com/services/…      also for Mattermost and Rocket.Chat
  discord+https://discord.com/api/webhooks/…
  teams+https://…                               the URL of a Workflows webhook
  telegram://BOT:TOKEN@CHAT                     CHAT is a number, or the name of a channel
  matrix+https://HOST/ROOM-ID?token=TOKEN
  ntfy+https://ntfy.sh/TOPIC                    ?token=TOKEN if the topic needs one
  gotify+https://HOST/?token=TOKEN`,
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
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		user, name, err := userAndName(args, "service")
		if err != nil {
			return err
		}
		if *app != core.AnyApp {
			if err := checkName("app", *app); err != nil {
				return err
			}
		}
		if *on != "each" && *on != chat.OnChange {
			return &usageError{fmt.Errorf("--on: invalid value %q: want each or change", *on)}
		}
		tokens, err := c.ThirdPartyTokens(ctx, user)
		if err != nil {
			return err
		}
		var names []string
		for _, token := range tokens {
			names = append(names, token.ID)
		}
		if err := refuseExisting("service", name, names, *replace); err != nil {
			return err
		}
		address, err := secretInput{what: "Address of the service", flag: "address-file", variable: "NOTIFY_ADDRESS", file: *file}.read(ctx, streams)
		if err != nil {
			return err
		}
		if err := chat.Check(address); err != nil {
			return &usageError{err}
		}
		err = c.SetThirdPartyToken(ctx, user, core.ThirdPartyToken{
			ID: name, Provider: core.TokenNotification, App: *app, Scopes: []string{*on}, Token: address,
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(streams.Stdout, "added %s; try it by `webhooks notify test %s %s`\n", name, user, name)
		return err
	})
}

// notified returns the services of a user.
func notified(ctx context.Context, c *nodejitsu.Client, user string) ([]core.ThirdPartyToken, error) {
	if err := checkName("user", user); err != nil {
		return nil, err
	}
	tokens, err := c.ThirdPartyTokens(ctx, user)
	return slices.DeleteFunc(tokens, func(t core.ThirdPartyToken) bool { return t.Provider != core.TokenNotification }), err
}

// theService returns one of them.
func theService(ctx context.Context, c *nodejitsu.Client, user, name string) (core.ThirdPartyToken, error) {
	tokens, err := notified(ctx, c, user)
	if err != nil {
		return core.ThirdPartyToken{}, err
	}
	i := slices.IndexFunc(tokens, func(t core.ThirdPartyToken) bool { return t.ID == name })
	if i < 0 {
		return core.ThirdPartyToken{}, fmt.Errorf("%s has no service %q; see `webhooks notify list %[1]s`", user, name)
	}
	return tokens[i], nil
}

func newNotifyList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list USER",
		Short:   "List the services that are notified",
		Long:    "Lists the services that are notified, without their addresses.",
		Example: "  webhooks notify list dscape",
		Args:    exactly(1),
	}
	out := outputFlag(cmd)
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		tokens, err := notified(ctx, c, args[0])
		if err != nil {
			return err
		}
		type row struct {
			Name string `json:"name"`
			App  string `json:"app"`
			On   string `json:"on"`
		}
		rows, table := []row{}, [][]string{{"NAME", "APP", "ON"}}
		for _, t := range tokens {
			rows = append(rows, row{t.ID, t.App, strings.Join(t.Scopes, ",")})
			table = append(table, []string{t.ID, t.App, strings.Join(t.Scopes, ",")})
		}
		screen := caller{streams: streams}
		if out.json() {
			return screen.json(rows)
		}
		return screen.table(table)
	})
}

func newNotifyTest(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "test USER NAME",
		Short:   "Send a message to a service",
		Long:    "Sends a message to a service from this machine, and reports what the service answers.",
		Example: "  webhooks notify test dscape team",
		Args:    exactly(2),
	}
	return onPlatformWith(cmd, streams, []string{"private-hosts"}, func(ctx context.Context, c *nodejitsu.Client, cfg config.Config, args []string) error {
		service, err := theService(ctx, c, args[0], args[1])
		if err != nil {
			return err
		}
		sender := chat.New(chat.Options{PrivateHosts: cfg.PrivateHosts})
		if err := sender.Send(ctx, service.Token, "A test message of webhooks for "+args[0], rand.Text()); err != nil {
			return err
		}
		_, err = fmt.Fprintf(streams.Stdout, "sent to %s\n", args[1])
		return err
	})
}

func newNotifyRemove(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove USER NAME",
		Short:   "Notify a service no longer",
		Example: "  webhooks notify remove dscape team",
		Args:    exactly(2),
	}
	return onPlatform(cmd, streams, func(ctx context.Context, c *nodejitsu.Client, args []string) error {
		service, err := theService(ctx, c, args[0], args[1])
		if err != nil {
			return err
		}
		if err := c.DestroyThirdPartyToken(ctx, args[0], service.ID); err != nil {
			return err
		}
		_, err = fmt.Fprintf(streams.Stdout, "removed %s\n", service.ID)
		return err
	})
}
