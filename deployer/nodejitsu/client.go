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

// Options are what [New] takes. Endpoint, Username and Password are required.
type Options struct {
	// Endpoint returns the URL that the API's paths are below. It is asked at
	// each call, as an embedded platform learns its port when it starts.
	Endpoint func() string
	// Username is who calls: a user, or [core.ServiceUser].
	Username string
	// Password returns the user's password or API token, or the shared key. It
	// is asked at each call.
	Password func() core.Secret
	// HTTP sends the requests. Where it is nil, a client without a limit of
	// time is used: builds take as long as the caller's context lets them.
	HTTP *http.Client
	// Proxy says which proxy a request takes, where HTTP is nil; nil is none. One
	// that the environment names would be told the shared key, where the platform
	// has no TLS, so only a person's own calls should take it.
	Proxy func(*http.Request) (*url.URL, error)
	// Logger takes a line at debug level for each call; nil discards it.
	Logger *slog.Logger
}

// HeaderKey holds the shared key in calls that somebody else makes through us:
// wrong passwords are then not counted against our address. The address of who
// makes them is the last in X-Forwarded-For, where it is known. A header of
// ours, between servers and their platform.
const HeaderKey = "X-Webhooks-Key"

// HeaderOrder holds the [deploy.Order] of a write on an app. Where a later one
// came before, the write is refused with 409 and the name superseded. A header of
// ours; calls without it are not compared.
const HeaderOrder = "X-Webhooks-Order"

// HeaderDeploys says that an app is created to be deployed: what its package.json
// says is not what people set, but holds from the start of the snapshot. A header
// of ours.
const HeaderDeploys = "X-Webhooks-Deploys"

const (
	maxAnswer  = 32 << 20 // bytes of an answer in JSON
	maxRefusal = 64 << 10 // bytes of an answer that refuses
	userAgent  = "nodejitsu-webhooks"
)

// Client calls one platform. It may be used concurrently.
type Client struct {
	o        Options
	http     http.Client
	order    deploy.Order
	embedded *atomic.Bool // the platform has said that it is an embedded one
}

// poweredBy is what the embedded platform says it is.
const poweredBy = "Nodejitsu/webhooks"

// New returns a Client. It calls nothing yet.
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
			// An upload waits so long for the platform to say that it wants it.
			ExpectContinueTimeout: 5 * time.Second,
			ForceAttemptHTTP2:     true,
		}
	}
	// What the platform, or a proxy before it, says of a call must not bring
	// back the credentials that were sent with it.
	next := c.http.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	c.http.Transport = &redact.Transport{Next: next}
	// The API has no redirects; one would take the credentials elsewhere.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// ordered returns the client with an order for its writes.
func (c *Client) ordered(order deploy.Order) *Client {
	with := *c
	with.order = order
	return &with
}

// Close ends the connections that nobody is using.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is one call of the API.
type request struct {
	doing   string // what for, such as "start app", for the error
	method  string
	path    []string
	body    any               // sent as JSON
	as      *core.Credentials // nil for those of Options
	deploys bool              // it is a part of a deployment, see HeaderDeploys
}

// call sends r and decodes the answer's JSON into answer, where that is not nil.
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
		return fmt.Errorf("nodejitsu: %s: the answer is larger than %d bytes", r.doing, maxAnswer)
	case answer == nil || len(bytes.TrimSpace(text)) == 0:
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("nodejitsu: %s: the answer is not what the API says; is it a platform's URL? %w", r.doing, err)
	}
	return nil
}

// credentialsIn returns the credentials in a body: a user's password, a
// third-party token, and the variables of an app that are one by their name.
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
		return nil, fmt.Errorf("nodejitsu: %s: the platform's URL is none; it takes http or https, a host, and maybe a path", r.doing)
	}
	var address strings.Builder
	address.WriteString(strings.TrimRight(base, "/"))
	for _, part := range r.path {
		// A path is resolved on its way, so these would reach something else.
		if part == "" || part == "." || part == ".." {
			return nil, fmt.Errorf("nodejitsu: %s: %q is no name", r.doing, part)
		}
		address.WriteString("/" + url.PathEscape(part))
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address.String(), body)
	if err != nil {
		return nil, fmt.Errorf("nodejitsu: %s: the platform's URL is none", r.doing)
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
	return req, nil
}

// send sends req and returns the answer where it is a success.
func (c *Client) send(req *http.Request, r request) (*http.Response, error) {
	ctx := req.Context()
	begin := time.Now()
	resp, err := c.http.Do(req) //nolint:gosec // the operator says where to
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

// broken says that the network failed, or the answer on its way.
func broken(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("nodejitsu: %s: %w", doing, ctx.Err())
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL
	}
	return core.Transient(fmt.Errorf("nodejitsu: %s: the platform can't be reached: %w", doing, err), 0)
}
