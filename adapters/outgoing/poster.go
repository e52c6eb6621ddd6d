package outgoing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
)

// PosterOptions configure a [Poster].
type PosterOptions struct {
	// Base is the URL of this service, which the operator named: if its host is an address,
	// or localhost, that may be private.
	Base         string
	PrivateHosts []string // names, without a port, that may have private addresses
}

// Poster posts to the URLs of webhooks. It is a [connect.Poster], and may be used
// concurrently.
type Poster struct{ o PosterOptions }

var _ connect.Poster = (*Poster)(nil)

// NewPoster returns a Poster.
func NewPoster(o PosterOptions) *Poster { return &Poster{o} }

// postTimeout limits a post and its answer.
const postTimeout = 10 * time.Second

// Post posts body to a URL, as [connect.Poster] specifies. An address must be public,
// unless the operator named the host.
func (p *Poster) Post(ctx context.Context, to string, h http.Header, body []byte) (int, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, nil, errors.New("outgoing: invalid URL")
	}
	req.Header = h.Clone()
	req.Header.Set("User-Agent", "nodejitsu-webhooks")
	client := http.Client{
		Timeout: postTimeout, Transport: p.guard(req.URL).Transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req) //nolint:gosec // the guard decides where it may go
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		if errors.Is(err, guard.ErrRefused) {
			err = fmt.Errorf("%w: %w", err, core.ErrForbidden)
		}
		return 0, nil, fmt.Errorf("outgoing: %w", err)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // the answer counts, not what it says
	_ = resp.Body.Close()
	return resp.StatusCode, resp.Header, nil
}

// guard returns the guard of a request to u.
func (p *Poster) guard(u *url.URL) *guard.Guard {
	if base, err := url.Parse(p.o.Base); err == nil && guard.HostPort(base) == guard.HostPort(u) {
		return guard.ForURL(base, p.o.PrivateHosts)
	}
	private := slices.ContainsFunc(p.o.PrivateHosts, func(name string) bool { return strings.EqualFold(name, u.Hostname()) })
	return guard.New(map[string]bool{guard.HostPort(u): private})
}
