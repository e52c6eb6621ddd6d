package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/httpapi/client"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// Time limits of calls. A long one may wait for another deployment of the app.
const (
	shortCall = time.Minute
	longCall  = 10 * time.Minute
)

// remote is a service that commands call as one of its users.
type remote struct {
	what     string // in messages: "platform"
	flag     string // sets its URL: "to"
	variable string // sets it too, with the prefix WEBHOOKS_
	// configured returns the URL by the settings of a server on this machine.
	configured func(config.Config) string
	// loggedIn returns the URL of a login.
	loggedIn func(login) string
	fresh    bool // without the login that is in use
	noToken  bool // the password is needed; an API token is not enough
	own      bool // the caller is the user whom the first argument names

	user, url, passwordFile, context string // values of the flags
	output                           *output
}

// session is a call of a platform.
type session struct {
	caller
	client *nodejitsu.Client
}

// asUser makes cmd call a platform as one of its users, at most as long as
// limit; 0 means no limit. Ctrl-C ends the call.
func asUser(cmd *cobra.Command, streams IO, limit time.Duration, do func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	return platformRemote().calls(cmd, streams, limit, func(ctx context.Context, c caller, password core.Secret, args []string) error {
		return callPlatform(c, password, func(s *session) error { return do(ctx, s, args) })
	})
}

// platformRemote returns the platform as a service that commands call.
func platformRemote() *remote {
	return &remote{
		what: "platform", flag: "to", variable: "TO",
		configured: func(c config.Config) string { return cmp.Or(c.PlatformURL, listening("http", c.PlatformListen)) },
		loggedIn:   func(l login) string { return l.Platform },
	}
}

// callPlatform calls do with a session of the platform, and explains its error.
func callPlatform(c caller, password core.Secret, do func(s *session) error) error {
	s := &session{caller: c, client: nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return c.url }, Username: c.user, Password: func() core.Secret { return password },
		Proxy: http.ProxyFromEnvironment,
	})}
	defer s.client.Close()
	return s.explain(do(s))
}

// apiSession is a call of the webhooks API.
type apiSession struct {
	caller
	api *client.Client
}

// apiRemote returns the webhooks API as a service that commands call.
func apiRemote() *remote {
	return &remote{
		what: "webhooks service", flag: "url", variable: "URL",
		configured: func(c config.Config) string {
			scheme := "http"
			if c.TLSCert != "" || len(c.ACMEDomains) > 0 {
				scheme = "https"
			}
			return cmp.Or(c.BaseURL, listening(scheme, c.Listen))
		},
		loggedIn: func(l login) string { return l.URL },
	}
}

// onAPI makes cmd call the webhooks API as one of its users, as asUser does.
func onAPI(cmd *cobra.Command, streams IO, limit time.Duration, do func(ctx context.Context, s *apiSession, args []string) error) *cobra.Command {
	return apiRemote().calls(cmd, streams, limit, func(ctx context.Context, c caller, password core.Secret, args []string) error {
		return callAPI(c, password, func(s *apiSession) error { return do(ctx, s, args) })
	})
}

// callAPI calls do with a session of the webhooks API, and explains its error.
func callAPI(c caller, password core.Secret, do func(s *apiSession) error) error {
	api, err := client.New(client.Options{URL: c.url, User: c.user, Password: password})
	if err != nil {
		return err
	}
	s := &apiSession{caller: c, api: api}
	return s.explain(do(s))
}

// calls makes cmd call the service.
func (r *remote) calls(cmd *cobra.Command, streams IO, limit time.Duration, do func(context.Context, caller, core.Secret, []string) error) *cobra.Command {
	r.declareUser(cmd)
	r.declare(cmd, r.configured(defaults()))
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return r.run(cmd, streams, limit, args, do) }
	return cmd
}

// declareUser adds the flag for the user who calls.
func (r *remote) declareUser(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.user, "user", "", "your user name; default: WEBHOOKS_USER, or that of \"webhooks login\"")
}

// declare adds the flags for the URL, whose default is otherwise, for the login, for
// the password, and for the form of the output.
func (r *remote) declare(cmd *cobra.Command, otherwise string) {
	r.output = outputFlag(cmd)
	cmd.Flags().StringVar(&r.context, "context", "", "`NAME` of the login to use; default: WEBHOOKS_CONTEXT, or that of \"webhooks contexts use\"")
	cmd.Flags().StringVar(&r.url, r.flag, "", fmt.Sprintf("`URL` of the %s; default: WEBHOOKS_%s, that of \"webhooks login\", or %s", r.what, r.variable, otherwise))
	token := " or an API token, - for stdin; default: WEBHOOKS_PASSWORD, the token of \"webhooks login\", or a prompt"
	if r.noToken {
		token = ", - for stdin; default: WEBHOOKS_PASSWORD, or a prompt"
	}
	cmd.Flags().StringVar(&r.passwordFile, "password-file", "", "`file` with the password"+token)
}

// run calls the service.
func (r *remote) run(cmd *cobra.Command, streams IO, limit time.Duration, args []string, do func(context.Context, caller, core.Secret, []string) error) error {
	ctx, release := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer release()
	defer context.AfterFunc(ctx, release)() // a second signal ends the process
	c, password, err := r.caller(ctx, streams)
	if err == nil {
		callCtx, cancel := ctx, context.CancelFunc(func() {})
		if limit > 0 {
			callCtx, cancel = context.WithTimeout(ctx, limit)
		}
		err = do(callCtx, c, password, args)
		cancel()
	}
	if err != nil && ctx.Err() != nil && cmd.Context().Err() == nil {
		_, _ = fmt.Fprintln(streams.Stderr, "webhooks: interrupted")
		return exitCode(130) // as in a shell
	}
	return err
}

// caller returns who calls which URL, with which password.
func (r *remote) caller(ctx context.Context, streams IO) (caller, core.Secret, error) {
	current, err := r.login(streams)
	if err != nil {
		return caller{}, core.Secret{}, err
	}
	address, err := r.address(streams, current)
	if err != nil {
		return caller{}, core.Secret{}, err
	}
	user := cmp.Or(r.user, r.variableOf(streams, "USER"), current.User)
	if user == "" {
		return caller{}, core.Secret{}, &usageError{errors.New("log in by `webhooks login URL --user NAME`, or set your user name by --user or WEBHOOKS_USER")}
	}
	if err := checkName("user", user); err != nil {
		return caller{}, core.Secret{}, err
	}
	if address.Scheme == "http" && !local(address.Hostname()) {
		_, _ = fmt.Fprintf(streams.Stderr, "warning: your password is sent to %s unencrypted; use https if possible\n", address.Host)
	}
	token := core.Secret{} // never sent to another service
	if !r.noToken && current.User == user && r.loggedIn != nil && r.loggedIn(current) == address.String() {
		token = current.Token.Secret
	}
	c := caller{printer: printer{streams: streams, output: r.output}, user: user, url: address.String()}
	if r.context != "" && r.passwordFile == "" && !token.IsZero() {
		return c, token, nil
	}
	password, err := secretInput{
		what: fmt.Sprintf("Password of %s at %s", user, address.Host), flag: "password-file", variable: "PASSWORD", file: r.passwordFile, stored: token,
	}.read(ctx, streams)
	return c, password, err
}

// login returns the login to use; the zero login if there is none.
func (r *remote) login(streams IO) (login, error) {
	if r.fresh {
		return login{}, nil
	}
	all, err := loadContexts(streams.Environ)
	if err != nil {
		return login{}, err
	}
	return all.login(cmp.Or(r.context, config.Variable(streams.Environ, "CONTEXT")))
}

// variableOf returns a variable of the environment. What --context names is used
// instead of the variables.
func (r *remote) variableOf(streams IO, name string) string {
	if r.context != "" {
		return ""
	}
	return config.Variable(streams.Environ, name)
}

// address returns the URL of the service. It contains no credentials.
func (r *remote) address(streams IO, current login) (*url.URL, error) {
	text, source := r.url, "--"+r.flag
	if text == "" {
		text, source = r.variableOf(streams, r.variable), "WEBHOOKS_"+r.variable
	}
	if text == "" && current.URL != "" {
		text, source = r.loggedIn(current), "the login"
	}
	if text == "" {
		cfg, err := load(config.Declare(pflag.NewFlagSet("", pflag.ContinueOnError)), streams)
		if err != nil {
			return nil, err
		}
		text, source = r.configured(cfg), "the settings"
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, &usageError{fmt.Errorf("invalid URL of the %s in %s: want http(s)://host[:port][/path]", r.what, source)}
	case u.User != nil:
		return nil, &usageError{fmt.Errorf("the URL of the %s in %s must not contain a user or a password: use --user, and WEBHOOKS_PASSWORD or --password-file", r.what, source)}
	}
	return u, nil
}

// defaults returns the default settings.
var defaults = sync.OnceValue(func() config.Config { //nolint:gochecknoglobals // a constant that is expensive to compute for each command
	cfg, _ := config.Declare(pflag.NewFlagSet("", pflag.ContinueOnError)).Load(nil) // defaults are valid
	return cfg
})

// listening returns the URL of a server that listens on an address.
func listening(scheme, address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return scheme + "://" + address
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// explain returns an error of the platform in words for the caller. The message
// of a platform may contain the output of an app, so it is cleaned.
func (s *session) explain(err error) error {
	if err == nil || explained(err) {
		return err
	}
	_, answered := errors.AsType[*nodejitsu.Error](err)
	_, temporary := core.Retryable(err)
	switch {
	case errors.Is(err, core.ErrUnauthorized):
		return &messageError{fmt.Sprintf("the platform at %s refuses the credentials of %s: check the user name, and the password or API token", s.url, s.user), err}
	case errors.Is(err, context.DeadlineExceeded):
		return &messageError{fmt.Sprintf("timeout: the platform at %s may still be working; see `webhooks apps view`", s.url), err}
	case temporary && !answered:
		return &messageError{fmt.Sprintf("%s; is there a platform at %s? Set another URL by --to", cleaned(err), s.url), err}
	}
	return &messageError{cleaned(err), err}
}

// cleaned returns the text of an error of the platform.
func cleaned(err error) string {
	if answered, ok := errors.AsType[*nodejitsu.Error](err); ok && answered.Message != "" {
		text := printable(answered.Message)
		if answered.Code == core.CodePlatformAppNotFound {
			text += "; see `webhooks apps list`"
		}
		return text
	}
	return printable(strings.TrimPrefix(err.Error(), "nodejitsu: "))
}

// explain returns an error of the API in words for the caller.
func (s *apiSession) explain(err error) error {
	if err == nil || explained(err) {
		return err
	}
	failure, answered := errors.AsType[*client.Error](err)
	_, temporary := core.Retryable(err)
	switch {
	case answered && failure.Code == core.CodeNotYou:
		return &messageError{fmt.Sprintf("%s may not change what belongs to another user", s.user), err}
	case answered && failure.Status == http.StatusUnauthorized:
		return &messageError{fmt.Sprintf("the service at %s refuses the credentials of %s: check the user name, and the password or API token", s.url, s.user), err}
	case errors.Is(err, context.DeadlineExceeded):
		return &messageError{fmt.Sprintf("timeout: no answer of the service at %s", s.url), err}
	case temporary && !answered:
		return &messageError{fmt.Sprintf("%s; is there a webhooks service at %s? Set another URL by --url", printable(err.Error()), s.url), err}
	}
	return &messageError{printable(err.Error()), err}
}
