package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// Tarball opens the commit's tree, as [deploy.Source] says. Reading it fails
// with an error marked by [core.Transient] where the connection breaks or
// stands still, and io.ErrUnexpectedEOF is within where less came than was
// announced. The whole is bounded by ctx only.
//
// The request is made here, because go-github's GetArchiveLink takes no answer
// but 302 while GitHub may answer 200, does not escape the ref, and passes the
// token on to where it is redirected.
func (c *Client) Tarball(ctx context.Context, r core.Repository, commit string, token core.Secret) (body io.ReadCloser, err error) {
	defer func() { err = redact.New(token).Error(err) }()
	doing := "fetch the tarball of " + r.Slug()
	at, err := repoPath(r, "tarball", commit)
	if err != nil {
		return nil, err
	}
	client, err := c.api(token, 0)
	if err != nil {
		return nil, err
	}
	req, err := client.NewRequest(http.MethodGet, at, nil)
	if err != nil {
		return nil, fmt.Errorf("github: %s: %w", doing, err)
	}
	resp, err := client.BareDo(ctx, req)
	if err == nil {
		return newTarball(ctx, doing, resp.Body), nil
	}
	if resp == nil || resp.StatusCode < 300 || resp.StatusCode >= 400 {
		return nil, c.failure(ctx, doing, resp, err)
	}
	to, locationErr := resp.Location()
	if locationErr != nil {
		return nil, c.failure(ctx, doing, resp, err)
	}
	return c.openArchive(ctx, doing, to)
}

// openArchive fetches from the address that GitHub gave out: one that carries
// its own permission, for five minutes, where the repository is private.
func (c *Client) openArchive(ctx context.Context, doing string, at *url.URL) (io.ReadCloser, error) {
	if err := c.checkArchive(at); err != nil {
		return nil, fmt.Errorf("github: %s: %w", doing, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("github: %s: %w", doing, errRefused)
	}
	req.Header.Set("User-Agent", c.options.UserAgent)
	resp, err := c.archive.Do(req)
	if err != nil {
		return nil, broken(ctx, doing, err)
	}
	if resp.StatusCode == http.StatusOK {
		return newTarball(ctx, doing, resp.Body), nil
	}
	err = c.refusal(doing, resp, nil)
	if closeErr := resp.Body.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	if errors.Is(err, core.ErrUnauthorized) || errors.Is(err, core.ErrForbidden) {
		// No token was sent, so none was refused: the address was.
		return nil, fmt.Errorf("github: %s: %d from the archive: %w", doing, resp.StatusCode, core.ErrNotFound)
	}
	return nil, err
}

// checkArchive tells whether a tarball may come from there.
func (c *Client) checkArchive(u *url.URL) error {
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || c.base.Scheme != "http"):
		return fmt.Errorf("the archive at %q is not behind https: %w", u.Scheme+"://"+u.Host, errRefused)
	case u.User != nil, !c.hosts[guard.HostPort(u)]:
		return fmt.Errorf("the archive's host %q is not one of those allowed: %w", u.Host, errRefused)
	}
	return nil
}

// checkBounce is the CheckRedirect of the archive's client.
func (c *Client) checkBounce(req *http.Request, via []*http.Request) error {
	// net/http puts the address that redirected here, with its permission in
	// the query.
	req.Header.Del("Referer")
	if len(via) > maxBounce {
		return fmt.Errorf("the archive redirects too often: %w", errRefused)
	}
	return c.checkArchive(req.URL)
}

// tarball is the body of an archive.
type tarball struct {
	io.ReadCloser
	fail func(err error) error
}

func newTarball(ctx context.Context, doing string, body io.ReadCloser) *tarball {
	return &tarball{body, func(err error) error { return broken(ctx, doing, err) }}
}

// Read reads on.
func (t *tarball) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = t.fail(err)
	}
	return n, err
}
