package forgehttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/outage"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// Options configure a [Client]. Name and URLs are required.
type Options struct {
	// Name is that of the adapter, for errors.
	Name string
	// URLs are the roots that credentials are sent to: that of the forge and maybe
	// that of its API.
	URLs []string
	// PrivateHosts are host names without a port that may have private addresses. A URL
	// whose host is an address, or localhost, may be private without it.
	PrivateHosts []string
	// Authorize adds a token, which is not empty, to a request.
	Authorize func(h http.Header, token core.Secret)

	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // of outages; default: discards
}

const (
	userAgent     = "nodejitsu-webhooks"
	headerTimeout = 15 * time.Second
	idleTimeout   = 30 * time.Second
	// callTimeout limits calls with a small answer, because a server that sends a byte
	// now and then never reaches idleTimeout.
	callTimeout  = 2 * time.Minute
	maxRedirects = 5

	// MaxAnswer is the limit of an answer that is decoded.
	MaxAnswer = 8 << 20
)

// Client calls the API of one forge. It may be used concurrently.
type Client struct {
	o           Options
	roots       []*url.URL
	guard       *guard.Guard
	connections *http.Transport
	transport   http.RoundTripper
	polled      *Conditional // transport for what is polled
}

// New returns a Client. It fails if one of the URLs is invalid.
func New(o Options) (*Client, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{o: o}
	named := map[string]bool{}
	for _, text := range o.URLs {
		u, err := ParseURL(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Name, err)
		}
		c.roots = append(c.roots, u)
		named[guard.HostPort(u)] = c.mayBePrivate(u.Hostname())
	}
	c.guard = guard.New(named)
	c.connections = c.guard.Transport()
	c.connections.ResponseHeaderTimeout = headerTimeout
	c.connections.DisableCompression = true // an archive must come as it is, its length checked
	c.transport = &outage.Transport{
		Next: &Breaker{Next: &redact.Transport{Next: c.connections}},
		Log:  outage.New(o.Logger, o.Now),
	}
	c.polled = &Conditional{Next: c.transport}
	return c, nil
}

func (c *Client) mayBePrivate(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" ||
		slices.ContainsFunc(c.o.PrivateHosts, func(name string) bool { return strings.EqualFold(name, host) })
}

// Close closes idle connections.
func (c *Client) Close() { c.connections.CloseIdleConnections() }

var errInvalidURL = errors.New("invalid URL: want http(s)://host[/path]")

// ParseURL parses the URL of a forge. Its path ends in a slash.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errInvalidURL // url.Error quotes the text, which may contain a password
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errInvalidURL
	}
	u.Host = strings.ToLower(u.Host)
	if !strings.HasSuffix(u.Path, "/") {
		u = u.JoinPath("/")
	}
	return u, nil
}

// Call is a call of the API.
type Call struct {
	Doing  string // for errors, such as "read package.json"
	Method string // default GET
	URL    string
	Token  core.Secret
	Body   any   // sent as JSON; nil: none
	Limit  int64 // bytes of the answer; default [MaxAnswer]
	Polled bool  // the same is read again and again; see [Conditional]
}

// read makes a call and returns the answer, which may be one byte longer than the limit
// if it is too long.
func (c *Client) read(ctx context.Context, call Call) (text []byte, h http.Header, err error) {
	defer func() { err = redact.New(call.Token).Error(err) }()
	if call.Limit == 0 {
		call.Limit = MaxAnswer
	}
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.send(ctx, bounded, call)
	if err != nil {
		return nil, nil, err
	}
	text, err = io.ReadAll(io.LimitReader(resp.Body, call.Limit+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, nil, c.broken(ctx, call.Doing, err)
	}
	return text, resp.Header, nil
}

// MaxFile is the size of the largest file that is read, in bytes.
const MaxFile = 1 << 20

// File makes a call for a file and returns it. It fails if the file is larger than
// [MaxFile].
func (c *Client) File(ctx context.Context, call Call) ([]byte, error) {
	call.Limit = MaxFile
	text, _, err := c.read(ctx, call)
	if err == nil && len(text) > MaxFile {
		return nil, fmt.Errorf("%s: %s: the file is larger than 1 MiB", c.o.Name, call.Doing)
	}
	return text, err
}

// JSON makes a call and decodes the answer into v, unless that is nil.
func (c *Client) JSON(ctx context.Context, call Call, v any) (http.Header, error) {
	text, h, err := c.read(ctx, call)
	if err != nil || v == nil {
		return h, err
	}
	if err := json.Unmarshal(text, v); err != nil {
		// A page of a proxy that stands before the forge, or an answer that was cut.
		return h, core.Transient(fmt.Errorf("%s: %s: the answer is not what the forge sends", c.o.Name, call.Doing), 0)
	}
	return h, nil
}

// Open makes a call and returns the body of the answer, which the caller closes.
// Reading it fails with a [core.Transient] error if the connection breaks or stalls.
// Only ctx limits the total time.
func (c *Client) Open(ctx context.Context, call Call) (body io.ReadCloser, err error) {
	defer func() { err = redact.New(call.Token).Error(err) }()
	resp, err := c.send(ctx, ctx, call) //nolint:bodyclose // the caller closes the stream
	if err != nil {
		return nil, err
	}
	return &stream{resp.Body, func(err error) error {
		return redact.New(call.Token).Error(c.broken(ctx, call.Doing, err))
	}}, nil
}

// stream is a body with this package's errors.
type stream struct {
	io.ReadCloser
	fail func(err error) error
}

// Read implements [io.Reader].
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = s.fail(err)
	}
	return n, err
}

// send sends a call, follows redirects of reads, and returns a successful answer. bounded
// is ctx, maybe with a timeout of its own.
func (c *Client) send(ctx, bounded context.Context, call Call) (*http.Response, error) {
	if !Sendable(call.Token) {
		return nil, fmt.Errorf("%s: %s: the token has invalid characters: %w", c.o.Name, call.Doing, core.ErrUnauthorized)
	}
	to, err := url.Parse(call.URL)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", c.o.Name, call.Doing, core.ErrNotFound)
	}
	for redirects := 0; ; redirects++ {
		resp, err := c.once(bounded, call, to)
		if err != nil {
			return nil, c.broken(ctx, call.Doing, err)
		}
		if resp.StatusCode < 300 {
			return resp, nil
		}
		next, err := resp.Location()
		if err == nil && redirects < maxRedirects && c.follows(call, resp.StatusCode, to, next) {
			if err := resp.Body.Close(); err != nil {
				return nil, c.broken(ctx, call.Doing, err)
			}
			to = next
			continue
		}
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxError)) // what could be read of it
		_ = resp.Body.Close()
		return nil, c.refusal(call.Doing, resp, text)
	}
}

// once sends one request. It has the token only if it goes to the forge.
func (c *Client) once(ctx context.Context, call Call, to *url.URL) (*http.Response, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if call.Method != "" {
		method = call.Method
	}
	if call.Body != nil {
		text, err := json.Marshal(call.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, to.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	if call.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !call.Token.IsZero() && c.within(to) {
		c.o.Authorize(req.Header, call.Token)
	}
	next := c.transport
	if call.Polled {
		next = c.polled
	}
	return (&Timeouts{Next: next, Idle: idleTimeout, Limit: call.limit()}).RoundTrip(req)
}

func (call Call) limit() int64 {
	if call.Limit == 0 {
		return 0
	}
	return call.Limit + 1
}

// follows reports whether a redirect is followed: of a read only, and never from an
// encrypted connection to one that is not.
func (c *Client) follows(call Call, status int, from, to *url.URL) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return false
	}
	return (call.Method == "" || call.Method == http.MethodGet) && to.User == nil &&
		(to.Scheme == "https" || to.Scheme == "http" && from.Scheme == "http")
}

// within reports whether u is on the forge.
func (c *Client) within(u *url.URL) bool {
	return slices.ContainsFunc(c.roots, func(root *url.URL) bool {
		return u.Scheme == root.Scheme && guard.HostPort(u) == guard.HostPort(root) && strings.HasPrefix(u.Path, root.Path)
	})
}

// Sendable reports whether a token can be sent in a header. The empty one, of which no
// header is made, can.
func Sendable(token core.Secret) bool {
	return !strings.ContainsFunc(token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' })
}

// Loopback reports whether a host is this machine by its name or its address.
func Loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// Path joins parts to a path of a URL, each escaped. ok is false if a part is one that
// a URL can not have, such as "..".
func Path(parts ...string) (path string, ok bool) {
	escaped := make([]string, len(parts))
	for i, part := range parts {
		if part == "" || part == "." || part == ".." || strings.ContainsRune(part, 0) {
			return "", false
		}
		escaped[i] = url.PathEscape(part)
	}
	return strings.Join(escaped, "/"), true
}

// Cut shortens text to at most that many characters.
func Cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
