package github

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// apiTransport sends the requests of one call. It adds the token to requests to
// the API only, and follows redirects within the API.
//
// A RoundTripper should leave redirects to http.Client. This one does not,
// because http.Client repeats a redirected POST as a GET, which GitHub answers
// with success although nothing was written.
type apiTransport struct {
	forgehttp.Timeouts
	base  *url.URL
	token core.Secret
	log   *slog.Logger
}

// RoundTrip implements [http.RoundTripper].
func (t *apiTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	for redirects := 0; ; redirects++ {
		resp, err := t.send(req)
		if err != nil {
			return nil, err
		}
		// Without the token, so that no error made of the answer contains it.
		resp.Request = req
		next := t.follow(req, resp)
		if next == nil || redirects == maxRedirects {
			return resp, nil
		}
		if err := resp.Body.Close(); err != nil {
			return nil, err
		}
		t.log.DebugContext(req.Context(), "repository moved", "from", req.URL.Path, "to", redact.New(t.token).Text(next.URL.Path))
		req = next
	}
}

func (t *apiTransport) send(req *http.Request) (*http.Response, error) {
	if !t.token.IsZero() && sameOrigin(req.URL, t.base) {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+t.token.Reveal())
	}
	return t.Timeouts.RoundTrip(req)
}

// follow returns the request for the address that the answer redirects to, or
// nil if the answer is not a redirect within the API.
func (t *apiTransport) follow(req *http.Request, resp *http.Response) *http.Request {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil
	}
	to, err := resp.Location()
	if err != nil || !t.within(to) {
		return nil
	}
	next := req.Clone(req.Context())
	next.URL, next.Host = to, ""
	if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return nil
		}
		if next.Body, err = req.GetBody(); err != nil {
			return nil
		}
	}
	return next
}

// within reports whether u is a URL of the API. The host is not enough: GitHub
// Enterprise Server serves its archives from the same host, below /_codeload/,
// and they need no token.
func (t *apiTransport) within(u *url.URL) bool {
	return u.User == nil && sameOrigin(u, t.base) && strings.HasPrefix(u.Path, t.base.Path)
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && guard.HostPort(a) == guard.HostPort(b)
}
