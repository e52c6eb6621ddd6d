package cli

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/adapters/chat"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/httpapi"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// whoseAccount is a part of the help texts of commands that change an account.
const whoseAccount = `

With --url, WEBHOOKS_URL or a login (see ` + "`webhooks login`" + `), it is your own account at
that service, from any machine. With --data or WEBHOOKS_DATA, or without any of
these, it is the account of any user of the server on this machine: run it as an
operating system user who may read the data folder.`

// accountSession is a call that changes the account of a user.
type accountSession struct {
	caller
	accounts httpapi.Account // of the service, or of the data folder's server
}

// needs is what a command that changes an account needs of the user.
type needs int

const (
	needsToken    needs = iota // an API token, or the password
	needsPassword              // the password
)

// onAccount makes cmd change the account of the user that its first argument names: at
// a service as that user, or on the server of the data folder.
func onAccount(cmd *cobra.Command, streams IO, what needs, do func(ctx context.Context, s *accountSession, args []string) error) *cobra.Command {
	r := apiRemote()
	r.noToken = what == needsPassword
	r.declare(cmd, "none: the server of the data folder")
	settings := config.Declare(cmd.Flags())
	settings.Show("data", "platform-url", "platform-key-file")
	cmd.Long = cmp.Or(cmd.Long, cmd.Short+".") + whoseAccount
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkName("user", args[0]); err != nil {
			return err
		}
		elsewhere, err := r.chosen(cmd, streams)
		if err != nil {
			return err
		}
		if !elsewhere {
			return onDataFolder(cmd, printer{streams: streams, output: r.output}, settings, args, do)
		}
		r.user = args[0]
		return r.run(cmd, streams, time.Minute, args, func(ctx context.Context, c caller, password core.Secret, args []string) error {
			return callAPI(c, password, func(s *apiSession) error {
				return refused(do(ctx, &accountSession{caller: c, accounts: s.api}, args), listOf(cmd, args[0]))
			})
		})
	}
	return cmd
}

// chosen reports whether the command calls the service, and not the server of the data
// folder.
func (r *remote) chosen(cmd *cobra.Command, streams IO) (bool, error) {
	if r.url != "" || r.context != "" {
		return true, nil
	}
	for flag, variable := range map[string]string{"data": "DATA", "platform-url": "PLATFORM_URL", "platform-key-file": "PLATFORM_KEY_FILE"} {
		if cmd.Flags().Changed(flag) || config.Variable(streams.Environ, variable) != "" {
			return false, nil
		}
	}
	if config.Variable(streams.Environ, r.variable) != "" {
		return true, nil
	}
	current, err := r.login(streams)
	return current.URL != "", err
}

// onDataFolder changes an account by the platform of the data folder.
func onDataFolder(cmd *cobra.Command, p printer, settings *config.Settings, args []string, do func(ctx context.Context, s *accountSession, args []string) error) error {
	return withPlatform(cmd, p.streams, settings, func(ctx context.Context, c *nodejitsu.Client, cfg config.Config) error {
		accounts := auth.New(auth.Options{
			Accounts: nodejitsu.NewPlatform(c), Messenger: chat.New(chat.Options{PrivateHosts: cfg.PrivateHosts}),
		})
		return refused(do(ctx, &accountSession{caller: caller{printer: p, user: args[0]}, accounts: accounts}, args), listOf(cmd, args[0]))
	})
}

// listOf returns the command that lists what there is beside cmd, such as the API
// tokens of a user.
func listOf(cmd *cobra.Command, user string) string {
	return cmd.Parent().CommandPath() + " list " + user
}

// refused returns a failure in words for the command line. list is the command that
// lists what there is.
func refused(err error, list string) error {
	switch core.CodeOf(err) {
	case core.CodeAccountConflict:
		return &messageError{"there is one of that name already, and programs may be using it: choose another name, or set --replace", err}
	case core.CodeAccountNotFound:
		return &messageError{"nothing has that name: list the names by `" + list + "`", err}
	case core.CodeAuthParams, core.CodeNotificationFailed, core.CodePasswordRequired:
		return &messageError{printable(core.AsError(err).Reason), err}
	case core.CodeGetUserFailed, core.CodeUpdateUserFailed:
		if _, ok := errors.AsType[*nodejitsu.Error](err); ok { // the platform of the data folder
			return &messageError{cleaned(core.AsError(err).Cause), err}
		}
	}
	return err
}

// printList prints what a list command found: as JSON, or each value on a line.
func printList[T any](p *printer, values []T, line func(T) string) error {
	return p.result(append([]T{}, values...), func() error { // [] if there are none
		for _, v := range values {
			if err := p.printf("%s\n", line(v)); err != nil {
				return err
			}
		}
		return nil
	})
}

// reveal prints a credential that was created, and the name that it has.
func (p *printer) reveal(name, what string, secret core.Secret) error {
	return p.done(map[string]string{"name": name, what: secret.Reveal()}, "%s", secret.Reveal())
}
