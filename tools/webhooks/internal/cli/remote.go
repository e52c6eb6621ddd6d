package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// Long enough for what a call may have to wait for, such as a deployment of the
// same app that is under way.
const (
	shortCall = time.Minute
	longCall  = 10 * time.Minute
)

// session is a command that calls a platform as one of its users.
type session struct {
	streams IO
	client  *nodejitsu.Client
	user    string
	to      string // the platform's URL
}

// remote is how a command finds the platform and who calls.
type remote struct {
	user, to, passwordFile string
}

// asUser makes cmd call a platform as one of its users, for at most limit; 0 is
// no limit. Ctrl-C ends the call.
func asUser(cmd *cobra.Command, streams IO, limit time.Duration, do func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	r := &remote{}
	cmd.Flags().StringVar(&r.user, "user", "", "who you are on the platform; default: WEBHOOKS_USER")
	cmd.Flags().StringVar(&r.to, "to", "", "URL of the platform's API; default: WEBHOOKS_TO, or "+usualPlatform())
	cmd.Flags().StringVar(&r.passwordFile, "password-file", "",
		"file with the password or an API token, - for stdin; default: WEBHOOKS_PASSWORD, or you are asked")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, release := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer release()
		defer context.AfterFunc(ctx, release)() // a second one ends the process
		s, err := r.session(ctx, streams)
		if err != nil {
			return interrupted(ctx, cmd.Context(), streams, err)
		}
		defer s.client.Close()
		if limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		return interrupted(ctx, cmd.Context(), streams, s.explain(do(ctx, s, args)))
	}
	return cmd
}

// interrupted says no more of an error than that a signal was its cause.
func interrupted(ctx, outer context.Context, streams IO, err error) error {
	if err == nil || outer.Err() != nil || !errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	_, _ = fmt.Fprintln(streams.Stderr, "webhooks: interrupted")
	return exitCode(130) // as a shell has it
}

// usualPlatform is where `webhooks serve` has its platform, unless it is told.
func usualPlatform() string {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.Declare(set)
	return listening(set.Lookup("platform-listen").DefValue)
}

// listening returns the URL of an address that something listens on.
func listening(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "http://" + address
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func (r *remote) session(ctx context.Context, streams IO) (*session, error) {
	to, err := r.platform(streams)
	if err != nil {
		return nil, err
	}
	user := r.user
	if user == "" {
		user = variable(streams, "WEBHOOKS_USER")
	}
	if user == "" {
		return nil, &usageError{errors.New("say who you are on the platform, by --user or WEBHOOKS_USER")}
	}
	if user, err = name("a user", user); err != nil {
		return nil, err
	}
	if to.Scheme == "http" && !local(to.Hostname()) {
		_, _ = fmt.Fprintf(streams.Stderr, "warning: your password goes to %s unencrypted; use https where you can\n", to.Host)
	}
	password, err := credential(ctx, streams, r.passwordFile, user, to.Host)
	if err != nil {
		return nil, err
	}
	return &session{
		streams: streams, user: user, to: to.String(),
		client: nodejitsu.New(nodejitsu.Options{
			Endpoint: to.String, Username: user, Password: func() core.Secret { return password },
			Proxy: http.ProxyFromEnvironment,
		}),
	}, nil
}

// platform returns the URL of the platform, which has no credentials.
func (r *remote) platform(streams IO) (*url.URL, error) {
	text, setting := r.to, "--to"
	if text == "" {
		text, setting = variable(streams, "WEBHOOKS_TO"), "WEBHOOKS_TO"
	}
	if text == "" { // as the settings have it that a server on this machine has
		cfg, err := load(config.Declare(pflag.NewFlagSet("", pflag.ContinueOnError)), streams)
		if err != nil {
			return nil, err
		}
		if text, setting = cfg.PlatformURL, "platform-url"; text == "" {
			text = listening(cfg.PlatformListen)
		}
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, &usageError{fmt.Errorf("%s is no URL of a platform; write it as http://127.0.0.1:8001 or https://platform.example.com", setting)}
	case u.User != nil:
		return nil, &usageError{fmt.Errorf("%s must not hold a user or a password; give them by --user, and WEBHOOKS_PASSWORD or --password-file", setting)}
	}
	return u, nil
}

func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// variable returns a variable of the environment, "" where it is not set.
func variable(streams IO, name string) string {
	value := ""
	for _, pair := range streams.Environ {
		if key, text, _ := strings.Cut(pair, "="); key == name {
			value = text
		}
	}
	return value
}

// say tells the person how far it is.
func (s *session) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.streams.Stderr, format+"\n", args...)
}

// told is an error in words for a person.
type told struct {
	text string
	err  error
}

func (t *told) Error() string { return t.text }
func (t *told) Unwrap() error { return t.err }

// explain says what an error of the platform means for who called, and what to
// do. What the platform says may be an app's words, and is cleaned.
func (s *session) explain(err error) error {
	if _, explained := errors.AsType[*told](err); err == nil || explained {
		return err
	}
	_, refused := errors.AsType[*nodejitsu.Error](err)
	_, passing := core.Retryable(err)
	switch {
	case errors.Is(err, core.ErrUnauthorized):
		return &told{fmt.Sprintf("the platform at %s refuses %s: check the name, and the password or API token", s.to, s.user), err}
	case errors.Is(err, context.DeadlineExceeded):
		return &told{fmt.Sprintf("the platform at %s took too long; it may still go on, see `webhooks apps view`", s.to), err}
	case passing && !refused:
		return &told{fmt.Sprintf("%s; does a platform run at %s? Name another one by --to", trimmed(err), s.to), err}
	}
	return &told{trimmed(err), err}
}

// trimmed returns what an error says without where it was made, cleaned.
func trimmed(err error) string {
	return printable(strings.TrimPrefix(err.Error(), "nodejitsu: "))
}

// appArgument reads the argument that names an app.
func appArgument(text string) (string, error) { return name("an app", text) }
