package nodejitsu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/redact"
)

// Options are the settings of [New]. Endpoint, Username and Password are required.
type Options struct {
	// Endpoint returns the base URL of the API. It is called for each request, as
	// an embedded platform has no port until it starts.
	Endpoint func() string
	// Username is the name of a user, or [core.ServiceUser].
	Username string
	// Password returns the user's password or API token, or the shared key. It is
	// called for each request.
	Password func() core.Secret
	// HTTP sends the requests; default: a client without a timeout, as the
	// caller's context limits the time of a build.
	HTTP *http.Client
	// Proxy returns the proxy of a request if HTTP is nil; nil: no proxy. Without
	// TLS a proxy can read the shared key, so the proxy of the environment should
	// be used only for calls with a user's own credentials.
	Proxy func(*http.Request) (*url.URL, error)
	// Header adds to the header of a request, such as the trace that its context
	// belongs to; nil: nothing.
	Header func(ctx context.Context, h http.Header)
	// Logger gets a record at debug level for each call; default: discards.
	Logger *slog.Logger
}

// HeaderKey is the header with the shared key in calls that a server makes for a
// client, so that wrong passwords are not counted against the server's address.
// The client's address, if known, is the last one in X-Forwarded-For. The header
// is an extension of the API.
const HeaderKey = "X-Webhooks-Key"

// HeaderOrder is the header with the [deploy.Order] of a write on an app. If the
// app has had a later one, the write is refused with 409 and the name superseded.
// Calls without it are not compared. The header is an extension of the API.
const HeaderOrder = "X-Webhooks-Order"

// HeaderDeploys is the header of calls that create an app to deploy it: the fields
// of its package.json are not settings of people, and apply from the start of the
// snapshot. The header is an extension of the API.
const HeaderDeploys = "X-Webhooks-Deploys"

const (
	maxAnswer  = 32 << 20 // bytes of a JSON response
	maxRefusal = 64 << 10 // bytes of an error response
	userAgent  = "nodejitsu-webhooks"
)

// Client calls one platform. It is safe for concurrent use.
type Client struct {
	o        Options
	http     http.Client
	order    deploy.Order
	embedded *atomic.Bool // set once a response came from an embedded platform
}

// poweredBy is the embedded platform's X-Powered-By.
const poweredBy = "Nodejitsu/webhooks"

// New returns a Client. It does not connect.
func New(o Options) *Client {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{o: o, embedded: new(atomic.Bool)}
	if o.HTTP != nil {
		c.http = *o.HTTP
	} else {
		c.http.Transport = &http.Transport{
			Proxy:               o.Proxy,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     time.Minute,
			MaxIdleConnsPerHost: 16,
			// How long an upload waits for the platform's 100 Continue.
			ExpectContinueTimeout: 5 * time.Second,
			ForceAttemptHTTP2:     true,
		}
	}
	// The platform, or a proxy in front of it, may repeat the credentials of a
	// request in its response; they are redacted.
	next := c.http.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	c.http.Transport = &redact.Transport{Next: next}
	// The API has no redirects; following one would send the credentials elsewhere.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// ordered returns the client with an order for its writes.
func (c *Client) ordered(order deploy.Order) *Client {
	with := *c
	with.order = order
	return &with
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is one call of the API.
type request struct {
	doing   string // the operation, such as "start app", for errors
	method  string
	path    []string
	query   string            // encoded
	body    any               // sent as JSON
	as      *core.Credentials // nil for those of Options
	deploys bool              // part of a deployment, see HeaderDeploys
}

// call sends r and decodes the JSON response into answer, unless answer is nil.
func (c *Client) call(ctx context.Context, r request, answer any) error {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return fmt.Errorf("nodejitsu: %s: %w", r.doing, err)
		}
		ctx = redact.With(ctx, credentialsIn(text)...)
		body = bytes.NewReader(text)
	} else if r.method != http.MethodGet {
		body = strings.NewReader("{}") // as the published client does
	}
	req, err := c.request(ctx, r, body)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.send(req, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return broken(ctx, r.doing, err)
	case len(text) > maxAnswer:
		return fmt.Errorf("nodejitsu: %s: the response is larger than %d bytes", r.doing, maxAnswer)
	case answer == nil || len(bytes.TrimSpace(text)) == 0:
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("nodejitsu: %s: unexpected response; check the platform's URL: %w", r.doing, err)
	}
	return nil
}

// credentialsIn returns the credentials in a body: a user's password, a
// third-party token, and variables of an app whose names say that they are one.
func credentialsIn(body []byte) []core.Secret {
	var sent struct {
		Password, Token string
		Env             Env
	}
	if json.Unmarshal(body, &sent) != nil {
		return nil
	}
	found := []core.Secret{core.NewSecret(sent.Password), core.NewSecret(sent.Token)}
	for name, value := range sent.Env {
		if redact.Named(name) {
			found = append(found, core.NewSecret(value))
		}
	}
	return found
}

// request makes the HTTP request of r.
func (c *Client) request(ctx context.Context, r request, body io.Reader) (*http.Request, error) {
	base := c.o.Endpoint()
	if base == "" {
		return nil, core.Transient(fmt.Errorf("nodejitsu: %s: the platform has not started yet", r.doing), 0)
	}
	if u, err := url.Parse(base); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(base, "?#") {
		return nil, fmt.Errorf("nodejitsu: %s: invalid platform URL: want http(s)://host[/path]", r.doing)
	}
	var address strings.Builder
	address.WriteString(strings.TrimRight(base, "/"))
	for _, part := range r.path {
		// Paths are normalized on the way, so these would reach another resource.
		if part == "" || part == "." || part == ".." {
			return nil, fmt.Errorf("nodejitsu: %s: invalid name %q", r.doing, part)
		}
		address.WriteString("/" + url.PathEscape(part))
	}
	if r.query != "" {
		address.WriteString("?" + r.query)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address.String(), body)
	if err != nil {
		return nil, fmt.Errorf("nodejitsu: %s: invalid platform URL", r.doing)
	}
	as := core.Credentials{Username: c.o.Username, Password: core.Secret{}}
	if r.as != nil {
		as = *r.as
		if c.o.Username == core.ServiceUser && c.o.Password != nil {
			req.Header.Set(HeaderKey, c.o.Password().Reveal())
		}
	} else if c.o.Password != nil {
		as.Password = c.o.Password()
	}
	req.SetBasicAuth(as.Username, as.Password.Reveal())
	req.Header.Set("User-Agent", userAgent)
	if order := c.order.String(); order != "" && r.method != http.MethodGet {
		req.Header.Set(HeaderOrder, order)
	}
	if r.deploys {
		req.Header.Set(HeaderDeploys, "1")
	}
	req.Header.Set("Accept", "application/json, text/plain")
	if c.o.Header != nil {
		c.o.Header(ctx, req.Header)
	}
	return req, nil
}

// send sends req and returns the response if it is a success.
func (c *Client) send(req *http.Request, r request) (*http.Response, error) {
	ctx := req.Context()
	begin := time.Now()
	resp, err := c.http.Do(req) //nolint:gosec // the operator sets the URL
	if err != nil {
		return nil, broken(ctx, r.doing, err)
	}
	c.o.Logger.DebugContext(ctx, "platform called", "call", r.doing, "status", resp.StatusCode,
		"duration_ms", time.Since(begin).Milliseconds())
	if resp.Header.Get("X-Powered-By") == poweredBy {
		c.embedded.Store(true)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close() //nolint:errcheck // only read
		return nil, refusal(r.doing, resp)
	}
	return resp, nil
}

// broken returns the error of a request or a response that failed on the network.
func broken(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("nodejitsu: %s: %w", doing, ctx.Err())
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL
	}
	return core.Transient(fmt.Errorf("nodejitsu: %s: the platform can't be reached: %w", doing, err), 0)
}
