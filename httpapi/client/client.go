// Package client calls the HTTP API of webhooks: it deploys payloads, reads the
// log of deliveries, and follows the change feed. It needs the standard library
// and core only.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// Options configures a Client. URL, User and Password are required.
type Options struct {
	URL      string      // of the service, such as "https://webhooks.example.com"
	User     string      // whose entries are read and changed
	Password core.Secret // or an API token
	HTTP     *http.Client
}

// Client calls the API as one user. It may be used concurrently.
type Client struct {
	o    Options
	base string // without a trailing slash
}

// New returns a Client. It fails if the URL is invalid.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("client: invalid URL of the service: want http(s)://host[/path]")
	}
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	// A proxy in front of the service may repeat a request in its answer.
	clean := *o.HTTP
	if clean.Transport == nil {
		clean.Transport = http.DefaultTransport
	}
	clean.Transport = &redact.Transport{Next: clean.Transport}
	o.HTTP = &clean
	return &Client{o: o, base: strings.TrimRight(o.URL, "/")}, nil
}

// Change is a revision of an entry, as the API returns it.
type Change struct {
	Seq      core.Seq       `json:"seq"`
	ID       string         `json:"id"` // URL of the entry; "" if it belongs to no user
	App      string         `json:"app_name"`
	UUID     string         `json:"uuid"`
	Status   core.Status    `json:"status"`
	Provider core.Provider  `json:"provider"`
	Commit   string         `json:"commit"`        // OWNER/NAME/ID
	Step     core.ShortStep `json:"step,omitzero"` // the newest step
	Error    core.Code      `json:"error,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	URL      string         `json:"url,omitempty"` // of the app, once it serves
	Doc      *core.Entry    `json:"doc,omitempty"` // nil unless it was requested
	// Answer is what the sender of the delivery was answered, in the response of
	// Entry; nil if the entry does not say it.
	Answer *Answer `json:"answer,omitempty"`
}

// Answer is what the sender of a delivery was answered.
type Answer struct {
	Status int             `json:"status"`
	Header []string        `json:"header"` // "Name: value"
	Body   json.RawMessage `json:"body"`
}

// MarshalJSON returns the change as the API writes it.
func (c Change) MarshalJSON() ([]byte, error) {
	type plain Change // without this method
	return json.Marshal(struct {
		Seq string `json:"seq"`
		plain
	}{c.Seq.String(), plain(c)})
}

// UnmarshalJSON reads a change; its seq is text.
func (c *Change) UnmarshalJSON(text []byte) error {
	type plain Change // without this method
	wire := struct {
		*plain
		Seq string `json:"seq"`
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(text, &wire); err != nil {
		return err
	}
	if wire.Seq == "" {
		return nil
	}
	var err error
	c.Seq, err = core.ParseSeq(wire.Seq)
	return err
}

// EntryID returns the id of the entry, the last part of its URL.
func (c Change) EntryID() string { return c.ID[strings.LastIndexByte(c.ID, '/')+1:] }

// Error is an answer of the API that is not a success. It unwraps to a
// *core.Error of the same code. [core.Retryable] reports whether the same call
// may succeed later; a deployment that failed may not, whatever its status code.
type Error struct {
	Status     int // of HTTP
	Code       core.Code
	Reason     string
	Detail     string        // the last lines of what failed
	UUID       string        // of the request, for the operator
	ID         string        // URL of the entry that failed, if there is one
	Oldest     string        // seq of the oldest change that is kept, if older ones are gone
	RetryAfter time.Duration // 0 if unknown
}

// Error returns the reason and the code.
func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("the service answered with status %d", e.Status)
	}
	return fmt.Sprintf("%s (%s)", e.Reason, e.Code)
}

// Unwrap returns the failure as a *core.Error.
func (e *Error) Unwrap() error {
	failure := core.NewError(e.Code, e.Reason, nil)
	failure.RetryAfter = e.RetryAfter
	if e.temporary() {
		return core.Transient(failure, e.RetryAfter)
	}
	return failure
}

func (e *Error) temporary() bool {
	switch e.Code {
	case "": // a proxy's answer
		return e.Status == http.StatusTooManyRequests || e.Status == http.StatusBadGateway ||
			e.Status == http.StatusServiceUnavailable || e.Status == http.StatusGatewayTimeout
	case core.CodeHTTPUnavailable, core.CodeHTTPTooManyTries, core.CodeAuthServerDown, core.CodeFailedToStorePayload,
		core.CodeStatusQueryFail, core.CodeStatusGetByID, core.CodeChangesFatal, core.CodeChangesTimeout:
		return true
	}
	return false
}

// DeployOptions says how a payload is deployed. The zero value deploys it as
// the client's user, and waits as long as the service does by default.
type DeployOptions struct {
	Target core.Target   // what to deploy, and as which app
	Header http.Header   // of the delivery, such as X-GitHub-Event
	Wait   time.Duration // for the outcome; 0: the default of the service; negative: none
}

// Deploy posts a payload, and returns the change that it led to: with an
// outcome if there is one in time, else with status pending or held. A
// deployment that failed is an *Error.
func (c *Client) Deploy(ctx context.Context, payload []byte, o DeployOptions) (Change, error) {
	query := url.Values{}
	for name, value := range o.Target.Parameters() {
		query.Set(name, value)
	}
	header := o.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	prefer(header, o.Wait)
	var change Change
	_, err := c.call(ctx, http.MethodPost, "/1/deploy", query, header, payload, &change)
	return change, err
}

// Page is a part of the log of deliveries, the newest first.
type Page struct {
	Entries []core.Entry
	Total   int // entries in the whole log
}

// Status returns at most limit entries of the user's log after the first skip
// ones: of one app, or of all if app is "".
func (c *Client) Status(ctx context.Context, app string, skip, limit int) (Page, error) {
	path := c.path("webhooks")
	if app != "" {
		path += "/" + url.PathEscape(app)
	}
	query := url.Values{"skip": {strconv.Itoa(skip)}, "limit": {strconv.Itoa(limit)}}
	var page Page
	header, err := c.call(ctx, http.MethodGet, path, query, nil, nil, &page.Entries)
	if err != nil {
		return Page{}, err
	}
	if page.Total, err = strconv.Atoi(header.Get("X-Total-Count")); err != nil {
		return Page{}, fmt.Errorf("client: list entries: %w", err)
	}
	return page, nil
}

// Entry returns the newest change of an entry, with Doc.
func (c *Client) Entry(ctx context.Context, id string) (Change, error) {
	var change Change
	_, err := c.call(ctx, http.MethodGet, c.path("changes", id), nil, nil, nil, &change)
	return change, err
}

// Release lets a held entry go on without its report, and returns the change
// that it led to as Deploy does. It does not wait if wait is 0.
func (c *Client) Release(ctx context.Context, id string, wait time.Duration) (Change, error) {
	header := http.Header{}
	if wait > 0 {
		prefer(header, wait)
	}
	var change Change
	_, err := c.call(ctx, http.MethodPost, c.path("changes", id, "release"), nil, header, nil, &change)
	return change, err
}

// PairOptions are the account of a forge to pair with. Login and Token are
// required.
type PairOptions struct {
	Host  string // of the forge; default: the public one of its kind
	App   string // the one app that the token is for; default: all
	Login string // at the forge
	Token core.Secret
}

// Pairing is an account of a forge that was paired.
type Pairing struct {
	Provider string   `json:"provider"`
	Login    string   `json:"login"`
	Scopes   []string `json:"scopes"` // of the token; empty if the forge does not say
	App      string   `json:"app"`    // core.AnyApp for all
}

// Pair pairs an account of a forge, whose kind is github, gitlab, gitea or
// bitbucket, with the client's user.
func (c *Client) Pair(ctx context.Context, kind string, o PairOptions) (Pairing, error) {
	query := url.Values{}
	for name, value := range map[string]string{"forge": o.Host, "app": o.App} {
		if value != "" {
			query.Set(name, value)
		}
	}
	body, err := json.Marshal(map[string]string{"credentials": o.Login + ":" + o.Token.Reveal()})
	if err != nil {
		return Pairing{}, fmt.Errorf("client: %w", err)
	}
	var pairing Pairing
	_, err = c.call(ctx, http.MethodPost, "/1/auth/"+url.PathEscape(kind), query, http.Header{"Content-Type": {"application/json"}}, body, &pairing)
	return pairing, err
}

// ConnectOptions say which webhook is made.
type ConnectOptions struct {
	Host       string      // of the forge; default: the public one of its kind
	Repository string      // "owner/name"
	Target     core.Target // what it deploys
	Check      bool        // change nothing, but have delivered again what failed
}

// Connection is a webhook that was made, changed or checked.
type Connection struct {
	URL     string   `json:"url"`
	ID      string   `json:"id"` // on the forge
	Created bool     `json:"created"`
	Secret  string   `json:"secret,omitempty"` // name of the user's webhook secret
	Events  []string `json:"events,omitempty"`
	Tested  bool     `json:"tested"` // the forge sent a test
	Status  int      `json:"status"` // that the test was answered with; 0: not at all
	// OwnTest is set if the server itself sent a test to URL, as the forge sent none or got
	// no answer of 2xx; OwnStatus is that of its answer, 0 if that was not the server's.
	OwnTest   bool `json:"own_test"`
	OwnStatus int  `json:"own_status"`
	Again     int  `json:"again"` // deliveries that were sent again
}

// Connect makes the webhook of a repository on a forge, whose kind is github, gitlab,
// gitea or bitbucket, or changes or checks it.
func (c *Client) Connect(ctx context.Context, kind string, o ConnectOptions) (Connection, error) {
	query := url.Values{"repository": {o.Repository}}
	if o.Host != "" {
		query.Set("forge", o.Host)
	}
	if o.Check {
		query.Set("check", "true")
	}
	for name, value := range o.Target.Parameters() {
		query.Set(name, value)
	}
	var made Connection
	_, err := c.call(ctx, http.MethodPost, "/1/connect/"+url.PathEscape(kind), query, nil, nil, &made)
	return made, err
}

// Redeliver delivers the payload of an entry again, and returns the change of the new
// entry as Deploy does. It does not wait if wait is 0.
func (c *Client) Redeliver(ctx context.Context, id string, wait time.Duration) (Change, error) {
	header := http.Header{}
	if wait > 0 {
		prefer(header, wait)
	}
	var change Change
	_, err := c.call(ctx, http.MethodPost, c.path("changes", id, "redeliver"), nil, header, nil, &change)
	return change, err
}

// Cancel ends a pending or held entry.
func (c *Client) Cancel(ctx context.Context, id string) (Change, error) {
	var change Change
	_, err := c.call(ctx, http.MethodDelete, c.path("changes", id), nil, nil, nil, &change)
	return change, err
}

// prefer asks the service to wait for the outcome (RFC 7240).
func prefer(header http.Header, wait time.Duration) {
	switch {
	case wait < 0:
		header.Set("Prefer", "respond-async")
	case wait > 0:
		header.Set("Prefer", "wait="+strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
}

// path returns the path of something that belongs to the user.
func (c *Client) path(parts ...string) string {
	all := []string{"/1/status", url.PathEscape(c.o.User)}
	for _, part := range parts {
		all = append(all, url.PathEscape(part))
	}
	return strings.Join(all, "/")
}

// maxAnswer is the size of the largest answer that is read, in bytes: a full
// page of entries, each with its output.
const maxAnswer = 256 << 20

// call sends a request and decodes the answer.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte, answer any) (http.Header, error) {
	response, err := c.send(ctx, method, path, query, header, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(answer); err != nil {
		return nil, fmt.Errorf("client: read the answer to %s %s: %w", method, path, err)
	}
	return response.Header, nil
}

// send sends a request, and returns the answer if it is a success.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte) (*http.Response, error) {
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if header != nil {
		request.Header = header
	}
	request.SetBasicAuth(c.o.User, c.o.Password.Reveal())
	response, err := c.o.HTTP.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, core.Transient(fmt.Errorf("client: %w", err), 0)
	}
	if response.StatusCode/100 != 2 {
		defer response.Body.Close() //nolint:errcheck // only read
		return nil, failureOf(response)
	}
	return response, nil
}

// failureOf reads the failure of an answer.
func failureOf(response *http.Response) *Error {
	e := &Error{Status: response.StatusCode}
	var wire wireFailure
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&wire); err == nil {
		wire.fill(e)
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

// wireFailure is the body of an answer that is not a success, and the last line
// of a feed that does not end as it was requested.
type wireFailure struct {
	Error  core.Code `json:"error"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail"`
	UUID   string    `json:"uuid"`
	ID     string    `json:"id"`
	Oldest string    `json:"oldest"`
}

func (w wireFailure) fill(e *Error) {
	e.Code, e.Reason, e.Detail, e.UUID, e.ID, e.Oldest = w.Error, w.Reason, w.Detail, w.UUID, w.ID, w.Oldest
}
