// Package post sends the requests of notifiers.
package post

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/retryafter"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// Client sends requests. It may be used concurrently.
type Client struct {
	http http.Client
	now  func() time.Time
}

// New returns a Client that connects by g.
func New(g *guard.Guard, now func() time.Time) *Client {
	return &Client{now: now, http: http.Client{
		Timeout: 15 * time.Second, Transport: &redact.Transport{Next: g.Transport()},
		// What is signed for, or has the token of, one receiver must not be sent to
		// another.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// maxSaid is how much of a refusal's body is part of the error, in bytes.
const maxSaid = 300

// Do sends a request, with the User-Agent of this service. It fails unless the
// answer is 2xx; the error has no URL, which may be a secret, and none of secrets. It
// is temporary for 408, 429 and 5xx, and if there is no answer, unless the guard has
// refused the address.
func (c *Client) Do(req *http.Request, secrets ...core.Secret) error {
	req.Header.Set("User-Agent", "nodejitsu-webhooks")
	resp, err := c.http.Do(req.WithContext(redact.With(req.Context(), secrets...))) //nolint:gosec // the guard decides where it may go
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		if errors.Is(err, guard.ErrRefused) {
			return err
		}
		return core.Transient(err, 0)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	said, _ := io.ReadAll(io.LimitReader(resp.Body, maxSaid))
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return nil
	}
	err = fmt.Errorf("answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	if text := strings.TrimSpace(string(said)); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode >= 500 {
		after, _ := retryafter.Read(resp.Header, c.now())
		return core.Transient(err, after)
	}
	return err
}
