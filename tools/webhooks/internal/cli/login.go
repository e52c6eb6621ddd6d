package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/httpapi/client"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/app"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

func newLogin(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "login URL",
		Short: "Log in to a service elsewhere, for all further commands",
		Long: `Creates an API token for this machine with your password, and stores it with the
service's URL in your configuration, which only you can read. All other commands
then call that service: --url, --to, --user and a password need no longer be set.
Several logins have names; ` + "`webhooks contexts use NAME`" + ` chooses one, and so do
--context and WEBHOOKS_CONTEXT.`,
		Example: `  webhooks login https://example.com --user dscape
  webhooks login https://staging.example.com --user dscape --name staging`,
		Args: exactly(1),
	}
	user := cmd.Flags().String("user", "", "your user name; default: WEBHOOKS_USER")
	name := cmd.Flags().String("name", "", "name of the login; default: the host")
	to := cmd.Flags().String("to", "", "URL of the platform's API; default: URL"+app.PlatformPath)
	passwordFile := cmd.Flags().String("password-file", "", "file with your password, - for stdin; default: WEBHOOKS_PASSWORD, or a prompt")
	out := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(cmd.Context(), shortCall)
		defer cancel()
		all, err := loadContexts(streams.Environ)
		if err != nil {
			return err
		}
		service := &remote{what: "webhooks service", flag: "url", url: args[0], user: *user, passwordFile: *passwordFile, fresh: true, output: out}
		c, password, err := service.caller(ctx, streams)
		if err != nil {
			return err
		}
		api, err := client.New(client.Options{URL: c.url, User: c.user, Password: password})
		if err != nil {
			return err
		}
		token, err := api.AddAPIToken(ctx, c.user, tokenName(), false)
		if err != nil {
			return fmt.Errorf("create an API token: %w", (&apiSession{caller: c, api: api}).explain(err))
		}
		made := login{URL: c.url, Platform: cmp.Or(strings.TrimRight(*to, "/"), c.url+app.PlatformPath), User: c.user}
		made.Token = storedToken{token}
		u, _ := url.Parse(c.url) // it was checked
		all.Current = cmp.Or(*name, u.Host)
		all.Logins[all.Current] = made
		if err := all.save(); err != nil {
			return fmt.Errorf("store the login: %w", err)
		}
		if err := made.checkPlatform(ctx); err != nil {
			c.say("no platform answers at %s, so commands about apps will fail: if its API has an address of its own, log in again with --to", made.Platform)
		}
		return c.done(map[string]string{"name": all.Current, "url": c.url, "user": c.user}, "logged in to %s as %s", c.url, c.user)
	}
	return cmd
}

// checkPlatform fails if the platform's API is not where the login has it.
func (l login) checkPlatform(ctx context.Context) error {
	platform := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return l.Platform }, Username: l.User, Password: func() core.Secret { return l.Token.Secret },
		Proxy: http.ProxyFromEnvironment,
	})
	defer platform.Close()
	_, err := platform.Auth(ctx, core.Credentials{Username: l.User, Password: l.Token.Secret})
	return err
}

// tokenName returns a name for the token of this machine. Each login has its own,
// so that none replaces another's.
func tokenName() string {
	host, _ := os.Hostname() // "" is as good
	host = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return -1
	}, strings.ToLower(host))
	return "login-" + host[:min(len(host), 32)] + time.Now().UTC().Format("-20060102-") + strings.ToLower(rand.Text()[:6])
}

func newLogout(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "logout [NAME]",
		Short:   "Forget a login",
		Long:    "Forgets a login; by default the one in use. Its API token remains valid until `webhooks tokens remove`.",
		Example: "  webhooks logout\n  webhooks logout staging",
		Args:    cobra.MaximumNArgs(1),
	}
	p := newPrinter(cmd, streams)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		all, err := loadContexts(streams.Environ)
		if err != nil {
			return err
		}
		name := all.Current
		if len(args) > 0 {
			name = args[0]
		}
		if _, ok := all.Logins[name]; !ok {
			return &usageError{errors.New("no such login: see `webhooks contexts`")}
		}
		delete(all.Logins, name)
		if all.Current == name {
			all.Current = ""
		}
		if err := all.save(); err != nil {
			return fmt.Errorf("store the logins: %w", err)
		}
		return p.done(named("removed", name), "logged out of %s", name)
	}
	return cmd
}

func newContexts(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "contexts",
		Short:   "List your logins, and choose the one in use",
		Example: "  webhooks contexts\n  webhooks contexts use staging",
		Args:    exactly(0),
	}
	p := newPrinter(cmd, streams)
	cmd.RunE = func(*cobra.Command, []string) error {
		all, err := loadContexts(streams.Environ)
		if err != nil {
			return err
		}
		type row struct {
			Name    string `json:"name"`
			Current bool   `json:"current"`
			URL     string `json:"url"`
			User    string `json:"user"`
		}
		rows, table := []row{}, [][]string{{"", "NAME", "URL", "USER"}}
		current := cmp.Or(config.Variable(streams.Environ, "CONTEXT"), all.Current)
		for _, name := range slices.Sorted(maps.Keys(all.Logins)) {
			l, mark := all.Logins[name], ""
			if name == current {
				mark = "*"
			}
			rows = append(rows, row{name, mark != "", l.URL, l.User})
			table = append(table, []string{mark, name, l.URL, l.User})
		}
		return p.result(rows, func() error {
			if len(rows) == 0 {
				p.say("no logins: see `webhooks login --help`")
				return nil
			}
			return p.table(table)
		})
	}
	cmd.AddCommand(newContextsUse(streams))
	return cmd
}

func newContextsUse(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "use NAME",
		Short:   "Choose the login that commands use",
		Example: "  webhooks contexts use staging",
		Args:    exactly(1),
	}
	p := newPrinter(cmd, streams)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		all, err := loadContexts(streams.Environ)
		if err != nil {
			return err
		}
		chosen, err := all.login(args[0])
		if err != nil {
			return err
		}
		all.Current = args[0]
		if err := all.save(); err != nil {
			return fmt.Errorf("store the logins: %w", err)
		}
		return p.done(map[string]string{"name": args[0], "url": chosen.URL, "user": chosen.User}, "commands call %s as %s", chosen.URL, chosen.User)
	}
	return cmd
}
