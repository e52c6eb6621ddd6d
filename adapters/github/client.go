package github

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/outage"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/redact"
)

// Options are what [New] takes; the zero value is good for github.com.
type Options struct {
	// BaseURL is the root of the REST API, https://api.github.com/ where it
	// is empty. GitHub Enterprise Server has it at https://HOST/api/v3/. Over
	// http:// tokens travel in the clear: for a stand-in on the same machine.
	BaseURL string
	// ArchiveHosts are further hosts, "host" or "host:port", that tarballs may
	// come from. codeload.github.com, the host of BaseURL, and "codeload."
	// before that host always may. Hosts named here or in BaseURL may have
	// private addresses; those of github.com may not.
	ArchiveHosts []string
	// StatusContext tells our commit statuses from those of others;
	// "webhooks/deploy" where it is empty.
	StatusContext string
	// UserAgent is sent with each request; "nodejitsu-webhooks" where empty.
	UserAgent string
	// HeaderTimeout is how long an answer may take to begin; 0 is 15 s.
	HeaderTimeout time.Duration
	// IdleTimeout is how long the body of an answer may stand still; 0 is 30 s.
	IdleTimeout time.Duration
	// Now is the clock, for rate limits that are told as a time of day.
	Now func() time.Time
	// Logger receives a line when a host becomes unavailable and when it is
	// available again, and at debug level one for each repository that was moved.
	Logger *slog.Logger
}

const (
	publicAPI     = "https://api.github.com/"
	publicHost    = "api.github.com"
	publicArchive = "codeload.github.com"

	statusContext = "webhooks/deploy"
	userAgent     = "nodejitsu-webhooks"

	headerTimeout = 15 * time.Second
	idleTimeout   = 30 * time.Second
	// callTimeout bounds calls whose answer is small, so that a server that
	// sends a byte now and then cannot hold one for ever. A tarball is bounded
	// by the caller's context.
	callTimeout = 2 * time.Minute

	maxFile   = 1 << 20  // bytes of a file, and of an answer in JSON
	maxError  = 64 << 10 // bytes read of an answer that refuses
	maxMoves  = 5        // redirects within the API
	maxBounce = 3        // redirects among the archive's hosts
)

// Client talks to one GitHub. Its methods may be called concurrently.
type Client struct {
	options     Options
	base        *url.URL
	hosts       map[string]bool // that tarballs may come from, all with a port
	guard       *guard.Guard
	connections *http.Transport
	sound       http.RoundTripper // connections to hosts that do not fail all the time
	archive     *http.Client      // has no token, ever
}

var (
	_ deploy.Source = (*Client)(nil)
	_ auth.GitHub   = (*Client)(nil)
)

// New returns a Client. It fails only where BaseURL or one of ArchiveHosts is
// none.
func New(options Options) (*Client, error) {
	setDefaults(&options)
	base, err := parseBase(options.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("github: base URL: %w", err)
	}
	c := &Client{options: options, base: base, hosts: map[string]bool{}}
	hosts := append([]string{publicArchive, base.Host}, options.ArchiveHosts...)
	if _, err := netip.ParseAddr(base.Hostname()); err != nil {
		// api.NAME.ghe.com has its archives at codeload.NAME.ghe.com.
		hosts = append(hosts, "codeload."+base.Host, "codeload."+strings.TrimPrefix(base.Host, "api."))
	}
	named := map[string]bool{}
	for _, host := range hosts {
		at, err := url.Parse(base.Scheme + "://" + host)
		if err != nil || at.Host == "" || at.Host != host {
			return nil, fmt.Errorf("github: archive host %q is no host[:port]", host)
		}
		c.hosts[guard.HostPort(at)] = true
		named[guard.HostPort(at)] = base.Hostname() != publicHost && host != publicArchive
	}
	for _, host := range options.ArchiveHosts {
		named[guard.HostPort(&url.URL{Scheme: base.Scheme, Host: host})] = true
	}
	c.guard = guard.New(named)
	c.connections = c.guard.Transport()
	c.connections.ResponseHeaderTimeout = options.HeaderTimeout
	c.connections.DisableCompression = true // a tarball must come as it is, its length checked
	c.sound = &outage.Transport{
		Next: &breaker{next: &redact.Transport{Next: c.connections}},
		Log:  outage.New(options.Logger, options.Now),
	}
	c.archive = &http.Client{
		Transport:     &patience{next: c.sound, idle: options.IdleTimeout},
		CheckRedirect: c.checkBounce,
	}
	return c, nil
}

// Close ends the connections that nobody is using.
func (c *Client) Close() { c.connections.CloseIdleConnections() }

func setDefaults(o *Options) {
	if o.BaseURL == "" {
		o.BaseURL = publicAPI
	}
	if o.StatusContext == "" {
		o.StatusContext = statusContext
	}
	if o.UserAgent == "" {
		o.UserAgent = userAgent
	}
	if o.HeaderTimeout <= 0 {
		o.HeaderTimeout = headerTimeout
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = idleTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func parseBase(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	if err != nil {
		// url.Error would quote the text, which may hold a password.
		return nil, errors.New("not a URL")
	}
	switch {
	case base.Scheme != "https" && base.Scheme != "http":
		return nil, errors.New("the scheme is neither https nor http")
	case base.Hostname() == "":
		return nil, errors.New("there is no host in it")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("it may hold scheme, host and path only")
	}
	base.Host = strings.ToLower(base.Host)
	if !strings.HasSuffix(base.Path, "/") {
		base = base.JoinPath("/")
	}
	return base, nil
}

// api returns a go-github client for one call. There is one for each call
// because v60 keeps the rate limits it was told of, and would refuse the next
// user's call for what this user's token ran into. limit bounds the body of
// an answer; 0 is no bound.
func (c *Client) api(token core.Secret, limit int64) (*gh.Client, error) {
	if !sendable(token) {
		return nil, fmt.Errorf("github: the token holds what no token holds: %w", core.ErrUnauthorized)
	}
	client := gh.NewClient(&http.Client{
		Transport: &apiTransport{
			patience: patience{next: c.sound, idle: c.options.IdleTimeout, limit: limit},
			base:     c.base,
			token:    token,
			log:      c.options.Logger,
		},
		// apiTransport follows what may be followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	client.BaseURL = c.base
	client.UserAgent = c.options.UserAgent
	return client, nil
}

// sendable tells whether a token can stand in a header; the empty one means
// that none is sent.
func sendable(token core.Secret) bool {
	for _, r := range token.Reveal() {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return true
}

// repoPath returns the API's path of something in a repository, relative to
// the base URL. rest may hold slashes; a part that would be resolved away, or
// to elsewhere, makes it fail with core.ErrNotFound, as there can be no such
// thing in a repository.
func repoPath(r core.Repository, kind, rest string) (string, error) {
	if !core.ValidRepositoryPart(r.Owner) || !core.ValidRepositoryPart(r.Name) {
		return "", fmt.Errorf("github: repository %q: %w", r.Slug(), core.ErrNotFound)
	}
	parts := strings.Split(rest, "/")
	for i, part := range parts {
		if part == "" || part == "." || part == ".." || strings.ContainsRune(part, 0) {
			return "", fmt.Errorf("github: %s %q: %w", kind, rest, core.ErrNotFound)
		}
		parts[i] = url.PathEscape(part)
	}
	return "repos/" + r.Slug() + "/" + kind + "/" + strings.Join(parts, "/"), nil
}

// short bounds a call whose answer is small.
func short(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout)
}
