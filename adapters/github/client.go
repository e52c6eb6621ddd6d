package github

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/outage"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/redact"
)

// Options configure a [Client]. The zero value is for github.com.
type Options struct {
	// BaseURL is the root of the REST API; default https://api.github.com/.
	// That of GitHub Enterprise Server is https://HOST/api/v3/. With http://
	// tokens are sent unencrypted: use it for a fake on the same machine.
	BaseURL string
	// ArchiveHosts are more hosts, "host" or "host:port", that tarballs may be
	// fetched from. Always allowed are codeload.github.com, the host of BaseURL,
	// and "codeload." before that host. Hosts named here or in BaseURL may have
	// private addresses; those of github.com may not.
	ArchiveHosts []string
	// StatusContext is the context of our commit statuses; default
	// "webhooks/deploy".
	StatusContext string
	// UserAgent is sent with each request; default "nodejitsu-webhooks".
	UserAgent string
	// HeaderTimeout limits the wait for the headers of an answer; default 15 s.
	HeaderTimeout time.Duration
	// IdleTimeout limits the wait for more of a body; default 30 s.
	IdleTimeout time.Duration
	// Now is the clock, for rate limits that end at a time of day; default
	// time.Now.
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
	// callTimeout limits calls with a small answer, because a server that sends
	// a byte now and then never reaches IdleTimeout. A tarball is limited by the
	// caller's context.
	callTimeout = 2 * time.Minute

	maxFile             = 1 << 20 // bytes of a file, and of an answer in JSON
	maxRedirects        = 5       // within the API
	maxArchiveRedirects = 3
)

// Client calls the API of one GitHub. Its methods may be called concurrently.
type Client struct {
	options      Options
	base         *url.URL
	archiveHosts map[string]bool // all with a port
	guard        *guard.Guard
	connections  *http.Transport
	transport    http.RoundTripper // connections, with what all requests need
	polled       http.RoundTripper // transport for what is polled
	archive      *http.Client      // never has a token
}

var (
	_ deploy.Forge = (*Client)(nil)
	_ auth.Login   = (*Client)(nil)
)

// New returns a Client. It fails if BaseURL or one of ArchiveHosts is invalid.
func New(options Options) (*Client, error) {
	setDefaults(&options)
	base, err := forgehttp.ParseURL(options.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("github: base URL: %w", err)
	}
	c := &Client{options: options, base: base, archiveHosts: map[string]bool{}}
	hosts := append([]string{publicArchive, base.Host}, options.ArchiveHosts...)
	if _, err := netip.ParseAddr(base.Hostname()); err != nil {
		// api.NAME.ghe.com has its archives at codeload.NAME.ghe.com.
		hosts = append(hosts, "codeload."+base.Host, "codeload."+strings.TrimPrefix(base.Host, "api."))
	}
	named := map[string]bool{}
	for _, host := range hosts {
		at, err := url.Parse(base.Scheme + "://" + host)
		if err != nil || at.Host == "" || at.Host != host {
			return nil, fmt.Errorf("github: invalid archive host %q: want host or host:port", host)
		}
		c.archiveHosts[guard.HostPort(at)] = true
		named[guard.HostPort(at)] = base.Hostname() != publicHost && host != publicArchive
	}
	for _, host := range options.ArchiveHosts {
		named[guard.HostPort(&url.URL{Scheme: base.Scheme, Host: host})] = true
	}
	c.guard = guard.New(named)
	c.connections = c.guard.Transport()
	c.connections.ResponseHeaderTimeout = options.HeaderTimeout
	c.connections.DisableCompression = true // a tarball must come as it is, its length checked
	c.transport = &outage.Transport{
		Next: &forgehttp.Breaker{Next: &redact.Transport{Next: c.connections}},
		Log:  outage.New(options.Logger, options.Now),
	}
	c.polled = &forgehttp.Conditional{Next: c.transport}
	c.archive = &http.Client{
		Transport:     &forgehttp.Timeouts{Next: c.transport, Idle: options.IdleTimeout},
		CheckRedirect: c.checkArchiveRedirect,
	}
	return c, nil
}

// Close closes idle connections.
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

// api returns a go-github client for one call. Each call has its own, because
// v60 keeps the rate limit of the last answer and would apply that of one user's
// token to the calls of another. limit is the maximum number of bytes of a body;
// 0 means no limit.
func (c *Client) api(token core.Secret, limit int64) (*gh.Client, error) {
	return c.apiBy(c.transport, token, limit)
}

// apiBy is api for requests that are sent by next.
func (c *Client) apiBy(next http.RoundTripper, token core.Secret, limit int64) (*gh.Client, error) {
	if !forgehttp.Sendable(token) {
		return nil, fmt.Errorf("github: the token has invalid characters: %w", core.ErrUnauthorized)
	}
	client := gh.NewClient(&http.Client{
		Transport: &apiTransport{
			Timeouts: forgehttp.Timeouts{Next: next, Idle: c.options.IdleTimeout, Limit: limit},
			base:     c.base,
			token:    token,
			log:      c.options.Logger,
		},
		// apiTransport follows redirects itself.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	client.BaseURL = c.base
	client.UserAgent = c.options.UserAgent
	return client, nil
}

// repoPath returns the path of something in a repository, relative to the base
// URL. rest may contain slashes. It fails with core.ErrNotFound if a part is one
// that a URL can not have, such as "..": no repository has it either.
func repoPath(r core.Repository, kind, rest string) (string, error) {
	if !core.ValidRepositoryPart(r.Owner) || !core.ValidRepositoryPart(r.Name) {
		return "", fmt.Errorf("github: repository %q: %w", r.Slug(), core.ErrNotFound)
	}
	path, ok := forgehttp.Path(strings.Split(rest, "/")...)
	if !ok {
		return "", fmt.Errorf("github: %s %q: %w", kind, rest, core.ErrNotFound)
	}
	return "repos/" + r.Slug() + "/" + kind + "/" + path, nil
}

// withCallTimeout limits a call with a small answer.
func withCallTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout)
}
