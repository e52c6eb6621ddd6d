package forgehttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/retryafter"
	"github.com/nodejitsu/webhooks/core"
)

// unknownWait is the wait for a rate limit that does not say how long it lasts.
const unknownWait = time.Minute

// ErrUnprocessable is wrapped by the error of an answer of 422, which says that a valid
// request could not be carried out.
var ErrUnprocessable = errors.New("could not be carried out")

// broken returns the error of a network failure.
func (c *Client) broken(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %s: %w", c.o.Name, doing, ctx.Err())
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL: that of an archive may have a token
	}
	err = fmt.Errorf("%s: %s: %w", c.o.Name, doing, err)
	if errors.Is(err, guard.ErrRefused) {
		return err
	}
	return core.Transient(err, 0)
}

// refusal returns the error that an answer other than 2xx means.
func (c *Client) refusal(doing string, resp *http.Response, text []byte) error {
	err := fmt.Errorf("%s: %s: %d %s", c.o.Name, doing, resp.StatusCode, http.StatusText(resp.StatusCode))
	if message := messageIn(text); message != "" && !strings.HasSuffix(message, http.StatusText(resp.StatusCode)) {
		err = fmt.Errorf("%w: %q", err, message)
	}
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusForbidden && resp.Header.Get("Retry-After") != "":
		return core.Transient(err, c.wait(resp.Header))
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%w: %w", err, core.ErrUnauthorized)
	case code == http.StatusForbidden, code == http.StatusUnavailableForLegalReasons:
		return fmt.Errorf("%w: %w", err, core.ErrForbidden)
	case code == http.StatusNotFound, code == http.StatusGone:
		return fmt.Errorf("%w: %w", err, core.ErrNotFound)
	case code >= 500, code == http.StatusRequestTimeout:
		after, _ := retryafter.Read(resp.Header, c.clock(resp.Header))
		return core.Transient(err, after)
	case code == http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %w", err, ErrUnprocessable)
	case code < 400:
		return fmt.Errorf("%w: redirected: %w", err, guard.ErrRefused)
	}
	return err
}

// messageIn returns what an error answer says, shortened: the forges have it in
// different fields.
func messageIn(text []byte) string {
	var answer struct {
		Message json.RawMessage `json:"message"` // a text, or at GitLab an object
		Error   json.RawMessage `json:"error"`   // a text, or at Bitbucket an object with a message
	}
	if json.Unmarshal(text, &answer) != nil {
		return ""
	}
	for _, raw := range []json.RawMessage{answer.Message, answer.Error} {
		var message string
		var object struct {
			Message string `json:"message"`
		}
		switch {
		case json.Unmarshal(raw, &message) == nil && message != "":
			return Cut(message, 200)
		case json.Unmarshal(raw, &object) == nil && object.Message != "":
			return Cut(object.Message, 200)
		case len(raw) > 0:
			return Cut(strings.Trim(string(raw), `"`), 200)
		}
	}
	return ""
}

// wait returns how long a rate limit lasts.
func (c *Client) wait(h http.Header) time.Duration {
	now := c.clock(h)
	if after, ok := retryafter.Read(h, now); ok {
		return max(after, time.Second)
	}
	if reset, err := strconv.ParseInt(h.Get("RateLimit-Reset"), 10, 64); err == nil {
		return min(max(time.Unix(reset, 0).Sub(now), 0)+time.Second, retryafter.Longest)
	}
	return unknownWait
}

// clock returns the time of the server's clock, which the end of a rate limit refers
// to.
func (c *Client) clock(h http.Header) time.Time {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return date
	}
	return c.o.Now()
}
