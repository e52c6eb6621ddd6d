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

// Archive opens the tree of a commit, as [deploy.Forge] specifies. Reading it
// fails with a [core.Transient] error if the connection breaks or stalls; the
// error wraps io.ErrUnexpectedEOF if the body is shorter than announced. Only ctx
// limits the total time.
//
// It does not use go-github's GetArchiveLink, which accepts no answer but 302
// while GitHub may answer 200, does not escape the ref, and sends the token to
// the host that it is redirected to.
func (c *Client) Archive(ctx context.Context, r core.Repository, commit string, token core.Secret) (body io.ReadCloser, err error) {
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

// openArchive fetches the archive from the address that GitHub returned. For a
// private repository the address has a token of its own, valid for five minutes.
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
		// No token was sent, so the address is what was refused.
		return nil, fmt.Errorf("github: %s: %d from the archive: %w", doing, resp.StatusCode, core.ErrNotFound)
	}
	return nil, err
}

// checkArchive returns an error unless a tarball may be fetched from u.
func (c *Client) checkArchive(u *url.URL) error {
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || c.base.Scheme != "http"):
		return fmt.Errorf("the archive at %q is not served over https: %w", u.Scheme+"://"+u.Host, errRefused)
	case u.User != nil, !c.archiveHosts[guard.HostPort(u)]:
		return fmt.Errorf("archive host %q is not allowed: %w", u.Host, errRefused)
	}
	return nil
}

// checkArchiveRedirect is the CheckRedirect of the archive client.
func (c *Client) checkArchiveRedirect(req *http.Request, via []*http.Request) error {
	// net/http sets it to the redirecting address, whose query has the token.
	req.Header.Del("Referer")
	if len(via) > maxArchiveRedirects {
		return fmt.Errorf("too many archive redirects: %w", errRefused)
	}
	return c.checkArchive(req.URL)
}

// tarball is the body of an archive with this package's errors.
type tarball struct {
	io.ReadCloser
	fail func(err error) error
}

func newTarball(ctx context.Context, doing string, body io.ReadCloser) *tarball {
	return &tarball{body, func(err error) error { return broken(ctx, doing, err) }}
}

// Read implements [io.Reader].
func (t *tarball) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = t.fail(err)
	}
	return n, err
}
