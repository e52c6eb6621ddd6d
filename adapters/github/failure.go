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

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/retryafter"
	"github.com/nodejitsu/webhooks/core"
)

// errRefused is the error of what we refuse to do, which no retry changes.
var errRefused = guard.ErrRefused

const (
	// secondaryWait is the wait that GitHub asks for if a secondary rate limit
	// does not say how long it lasts (docs.github.com, "Rate limits for the REST
	// API").
	secondaryWait = time.Minute
	// longestWait is the window of the primary rate limit, the longest wait.
	longestWait = retryafter.Longest
)

// failure returns the error of a call through go-github with core's meaning of
// it. doing is what was being done, such as "read package.json".
func (c *Client) failure(ctx context.Context, doing string, resp *gh.Response, err error) error {
	if resp == nil || resp.Response == nil || resp.StatusCode < 300 {
		return broken(ctx, doing, err)
	}
	return c.refusal(doing, resp.Response, err)
}

// broken returns the error of a network failure.
func broken(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("github: %s: %w", doing, ctx.Err())
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL: that of an archive has a token
	}
	err = fmt.Errorf("github: %s: %w", doing, err)
	if errors.Is(err, errRefused) {
		return err
	}
	return core.Transient(err, 0)
}

// refusal returns the error that an answer other than 2xx means. cause may be
// go-github's error, which has GitHub's message.
func (c *Client) refusal(doing string, resp *http.Response, cause error) error {
	message, codes := messageOf(cause)
	text := fmt.Sprintf("github: %s: %d %s", doing, resp.StatusCode, http.StatusText(resp.StatusCode))
	if message != "" && message != http.StatusText(resp.StatusCode) {
		text += fmt.Sprintf(": %q", message)
	}
	err := errors.New(text)
	code := resp.StatusCode
	switch {
	case rateLimited(resp, cause, message):
		return core.Transient(err, c.wait(resp.Header))
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%w: %w", err, core.ErrUnauthorized)
	case code == http.StatusForbidden && codes["too_large"]:
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
		return fmt.Errorf("%w: redirected to %s: %w", err, redirectHost(resp), errRefused)
	}
	return err
}

// messageOf returns GitHub's message within err, shortened, and the codes of the
// errors that it lists.
func messageOf(err error) (message string, codes map[string]bool) {
	codes = map[string]bool{}
	if e, ok := errors.AsType[*gh.ErrorResponse](err); ok {
		message = e.Message
		for _, one := range e.Errors {
			codes[one.Code] = true
		}
	} else if e, ok := errors.AsType[*gh.RateLimitError](err); ok {
		message = e.Message
	} else if e, ok := errors.AsType[*gh.AbuseRateLimitError](err); ok {
		message = e.Message
	} else if e, ok := errors.AsType[*gh.TwoFactorAuthError](err); ok {
		message = e.Message
	}
	return forgehttp.Cut(message, 200), codes
}

// redirectHost returns scheme and host of a redirect. The rest of its address may
// contain a token.
func redirectHost(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil {
		return "an invalid address"
	}
	return fmt.Sprintf("%q", to.Scheme+"://"+to.Host)
}

// rateLimited reports whether an answer is a rate limit. GitHub sends 403 or 429
// for both of its limits. The secondary one may have no header of its own; then
// its message shows it.
func rateLimited(resp *http.Response, cause error, message string) bool {
	if _, abuse := errors.AsType[*gh.AbuseRateLimitError](cause); abuse { // go-github checks the link to the documentation
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

// wait returns how long a rate limit lasts.
func (c *Client) wait(h http.Header) time.Duration {
	now := c.clock(h)
	if after, ok := retryafter.Read(h, now); ok {
		return max(after, time.Second)
	}
	if h.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			// Both times are rounded to seconds; one more is late enough.
			return min(max(time.Unix(reset, 0).Sub(now), 0)+time.Second, longestWait)
		}
	}
	return secondaryWait
}

// clock returns the time of the server's clock, which the end of a rate limit
// refers to.
func (c *Client) clock(h http.Header) time.Time {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return date
	}
	return c.options.Now()
}
