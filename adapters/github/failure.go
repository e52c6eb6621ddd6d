package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/retryafter"
	"github.com/nodejitsu/webhooks/core"
)

// errRefused is what an error is that no second try helps.
var errRefused = guard.ErrRefused

const (
	// secondaryWait is what GitHub asks for where a secondary rate limit tells
	// no time (docs.github.com, "Rate limits for the REST API").
	secondaryWait = time.Minute
	// longestWait is the window of the primary rate limit.
	longestWait = retryafter.Longest
)

// failure says in core's words why a call through go-github failed. doing is
// what was tried, such as "read package.json".
func (c *Client) failure(ctx context.Context, doing string, resp *gh.Response, err error) error {
	if resp == nil || resp.Response == nil || resp.StatusCode < 300 {
		return broken(ctx, doing, err)
	}
	return c.refusal(doing, resp.Response, err)
}

// broken says that the network failed, or the answer on its way.
func broken(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("github: %s: %w", doing, ctx.Err())
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL: an archive's has a token in it
	}
	err = fmt.Errorf("github: %s: %w", doing, err)
	if errors.Is(err, errRefused) {
		return err
	}
	return core.Transient(err, 0)
}

// refusal says what an answer that is no success means. cause may be
// go-github's error, which has GitHub's message.
func (c *Client) refusal(doing string, resp *http.Response, cause error) error {
	message, kinds := said(cause)
	text := fmt.Sprintf("github: %s: %d %s", doing, resp.StatusCode, http.StatusText(resp.StatusCode))
	if message != "" {
		text += fmt.Sprintf(": %q", message)
	}
	err := errors.New(text)
	code := resp.StatusCode
	switch {
	case rateLimited(resp, cause, message):
		return core.Transient(err, c.wait(resp.Header))
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%w: %w", err, core.ErrUnauthorized)
	case code == http.StatusForbidden && kinds["too_large"]:
		return err
	case code == http.StatusForbidden, code == http.StatusUnavailableForLegalReasons:
		return fmt.Errorf("%w: %w", err, core.ErrForbidden)
	case code == http.StatusNotFound, code == http.StatusGone,
		code == http.StatusUnprocessableEntity && strings.HasPrefix(message, "No commit found"):
		return fmt.Errorf("%w: %w", err, core.ErrNotFound)
	case code >= 500, code == http.StatusRequestTimeout:
		after, _ := retryafter.Read(resp.Header, c.clock(resp.Header))
		return core.Transient(err, after)
	case code < 400:
		return fmt.Errorf("%w: redirected to %s: %w", err, whither(resp), errRefused)
	}
	return err
}

// said returns GitHub's message within err, shortened, and the codes of the
// errors that it lists.
func said(err error) (message string, kinds map[string]bool) {
	kinds = map[string]bool{}
	if e, ok := errors.AsType[*gh.ErrorResponse](err); ok {
		message = e.Message
		for _, one := range e.Errors {
			kinds[one.Code] = true
		}
	} else if e, ok := errors.AsType[*gh.RateLimitError](err); ok {
		message = e.Message
	} else if e, ok := errors.AsType[*gh.AbuseRateLimitError](err); ok {
		message = e.Message
	} else if e, ok := errors.AsType[*gh.TwoFactorAuthError](err); ok {
		message = e.Message
	}
	return cut(message, 200), kinds
}

// whither names the host of a redirect; the rest of it may hold a token.
func whither(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil {
		return "nowhere"
	}
	return fmt.Sprintf("%q", to.Scheme+"://"+to.Host)
}

// rateLimited tells a rate limit from a plain refusal. GitHub sends 403 or 429
// for both its limits; the secondary one may come without any header of its
// own, and is then known by its message.
func rateLimited(resp *http.Response, cause error, message string) bool {
	if _, abuse := errors.AsType[*gh.AbuseRateLimitError](cause); abuse { // by the documentation that it names
		return true
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		message = strings.ToLower(message)
		return resp.Header.Get("Retry-After") != "" || resp.Header.Get("X-RateLimit-Remaining") == "0" ||
			strings.Contains(message, "rate limit") || strings.Contains(message, "abuse detection")
	}
	return false
}

// wait returns how long to leave GitHub alone after a rate limit.
func (c *Client) wait(h http.Header) time.Duration {
	now := c.clock(h)
	if after, ok := retryafter.Read(h, now); ok {
		return max(after, time.Second)
	}
	if h.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			// Both times are whole seconds; one more and we are not early.
			return min(max(time.Unix(reset, 0).Sub(now), 0)+time.Second, longestWait)
		}
	}
	return secondaryWait
}

// clock returns the time by the server's clock, which is the one that its
// reset times go by.
func (c *Client) clock(h http.Header) time.Time {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return date
	}
	return c.options.Now()
}
