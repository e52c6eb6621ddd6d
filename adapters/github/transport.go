package github

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// errIdle is why a body that stood still was given up.
var errIdle = errors.New("the server stopped sending")

// apiTransport sends the requests of one call to the API: with the token where
// they go to the API and only there, and following redirects within it.
//
// A RoundTripper should leave redirects to http.Client. This one does not,
// because the Client repeats a redirected POST as a GET, which GitHub would
// answer as happily, without anything having been written.
type apiTransport struct {
	patience
	base  *url.URL
	token core.Secret
	log   *slog.Logger
}

// RoundTrip implements [http.RoundTripper].
func (t *apiTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	for moves := 0; ; moves++ {
		resp, err := t.send(req)
		if err != nil {
			return nil, err
		}
		// The request as it was before the token was put in, so that no
		// error built from the answer can show it.
		resp.Request = req
		next := t.follow(req, resp)
		if next == nil || moves == maxMoves {
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
	if t.token != "" && sameOrigin(req.URL, t.base) {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+t.token.Reveal())
	}
	return t.patience.RoundTrip(req)
}

// follow returns the request repeated where the answer sends it, or nil where
// the answer is to be taken as it is.
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

// within tells whether the URL is one of the API. The host alone does not say
// so: GitHub Enterprise Server has its archives on the same one, under
// /_codeload/, and they need no token.
func (t *apiTransport) within(u *url.URL) bool {
	return u.User == nil && sameOrigin(u, t.base) && strings.HasPrefix(u.Path, t.base.Path)
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && guard.HostPort(a) == guard.HostPort(b)
}

// patience is a RoundTripper that bounds how long and how much is read of an
// answer.
type patience struct {
	next  http.RoundTripper
	idle  time.Duration
	limit int64 // bytes of a body that grants; 0 is no bound
}

// RoundTrip implements [http.RoundTripper].
func (p *patience) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	resp, err := p.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	limit := p.limit
	if resp.StatusCode >= 300 {
		limit = maxError
	}
	watched := &body{ReadCloser: resp.Body, reader: resp.Body, idle: p.idle, cancel: cancel}
	if limit > 0 {
		watched.reader = io.LimitReader(resp.Body, limit)
	}
	resp.Body = watched
	return resp, nil
}

// body is the body of an answer, given up where it stands still.
type body struct {
	io.ReadCloser
	reader  io.Reader // of the same, perhaps bounded
	idle    time.Duration
	cancel  context.CancelCauseFunc // of the request
	stalled atomic.Bool
}

// Read reads on. The time that passes between two calls is the caller's and
// does not count: it may have a slow reader of its own.
func (b *body) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.idle, func() {
		b.stalled.Store(true)
		b.cancel(errIdle)
	})
	n, err := b.reader.Read(p)
	timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) && b.stalled.Load() {
		err = errIdle
	}
	return n, err
}

// Close ends the request.
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
