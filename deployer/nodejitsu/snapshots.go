package nodejitsu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// Snapshot is an uploaded version of an app.
type Snapshot struct {
	ID       string `json:"id"`
	CTime    Time   `json:"ctime"`
	MD5      string `json:"md5"` // of the tgz, in hex
	Filename string `json:"filename"`
	Active   bool   `json:"active"`           // the next start runs it
	Running  bool   `json:"running"`          // it runs
	Served   bool   `json:"served,omitempty"` // it has replaced what ran before it, at some time; only the embedded platform sends it
}

// Trailers of the response to an upload.
const (
	trailerFailure = "X-Build-Failure" // why the build failed
	trailerRetry   = "X-Build-Retry"   // extension: the platform failed, so retry
	trailerCode    = "X-Build-Code"    // extension: the failure's code
	trailerDetail  = "X-Build-Detail"  // extension: the last relevant lines, percent-encoded
)

// Snapshots returns an app's built snapshots.
func (c *Client) Snapshots(ctx context.Context, user, app string) ([]Snapshot, error) {
	var answer struct {
		Snapshots []Snapshot `json:"snapshots"`
	}
	err := c.call(ctx, request{doing: "list snapshots", method: http.MethodGet, path: appPath(user, app, "snapshots")}, &answer)
	return answer.Snapshots, err
}

// UploadSnapshot uploads body, a tgz with one top folder package/, and builds the
// app in its folder root; "" is the top. It copies the build's output to out. If
// the build fails, the error is an [Error] without a status.
//
// UploadSnapshot does not close body, and does not read it after it has returned:
// it waits for a read in progress, so a read that may block must end with ctx. If
// reading body fails, so does the upload, with that error, unless the platform has
// refused it before.
func (c *Client) UploadSnapshot(ctx context.Context, user, app, id, root string, body io.Reader, out io.Writer) error {
	r := request{doing: "upload snapshot", method: http.MethodPost, path: appPath(user, app, "snapshots", id)}
	source := newSource(body)
	defer source.end()
	req, err := c.request(ctx, r, source)
	if err != nil {
		return err
	}
	if root != "" {
		req.URL.RawQuery = url.Values{"root": {root}}.Encode()
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Expect", "100-continue") // a refused snapshot is not sent
	resp, err := c.send(req, r)
	if err == nil {
		err = outcome(ctx, r.doing, resp, out, redact.Request(req)) // the response may have begun before the body ended
	}
	if _, refused := errors.AsType[*Error](err); refused {
		return err // even if the rest of the body was not sent
	}
	if failure := source.failure(); failure != nil {
		return fmt.Errorf("nodejitsu: upload snapshot: reading the body: %w", failure)
	}
	return err
}

// outcome copies the build's output to out and returns the error of the build. It
// closes the response, at once if writing to out fails, as the rest may be long.
func outcome(ctx context.Context, doing string, resp *http.Response, out io.Writer, credentials *redact.Redactor) error {
	defer resp.Body.Close() //nolint:errcheck // only read
	printed := &printer{w: out}
	clean := redact.NewWriter(printed, credentials)
	_, err := io.Copy(clean, resp.Body)
	if flushErr := clean.Flush(); err == nil {
		err = flushErr
	}
	if printed.err != nil {
		return fmt.Errorf("nodejitsu: %s: writing the build's output: %w", doing, printed.err)
	}
	if err != nil {
		return broken(ctx, doing, err)
	}
	reason := credentials.Text(resp.Trailer.Get(trailerFailure))
	if reason == "" {
		return nil
	}
	failed := &Error{Doing: doing, Message: reason, Code: core.Code(resp.Trailer.Get(trailerCode))}
	if detail, err := url.PathUnescape(resp.Trailer.Get(trailerDetail)); err == nil {
		failed.Detail = credentials.Text(detail)
	}
	if resp.Trailer.Get(trailerRetry) != "" {
		return core.Transient(failed, 0)
	}
	return failed
}

// printer records write errors, to distinguish them from read errors.
type printer struct {
	w   io.Writer
	err error
}

// Write writes to the writer and keeps its error.
func (p *printer) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.err = err
	return n, err
}

// Snapshot opens the tgz of a snapshot; the caller closes it.
func (c *Client) Snapshot(ctx context.Context, user, app, id string) (io.ReadCloser, error) {
	r := request{doing: "fetch snapshot", method: http.MethodGet, path: appPath(user, app, "snapshots", id+".tgz")}
	req, err := c.request(ctx, r, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.send(req, r)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// ActivateSnapshot makes a snapshot the one that the next start runs.
func (c *Client) ActivateSnapshot(ctx context.Context, user, app, id string) error {
	return c.call(ctx, request{doing: "activate snapshot", method: http.MethodPost, path: appPath(user, app, "snapshots", id, "activate")}, nil)
}

// DestroySnapshot removes a snapshot.
func (c *Client) DestroySnapshot(ctx context.Context, user, app, id string) error {
	return c.call(ctx, request{doing: "destroy snapshot", method: http.MethodDelete, path: appPath(user, app, "snapshots", id)}, nil)
}

// errEnded is the error of reads after the upload has ended.
var errEnded = errors.New("nodejitsu: the upload has ended")

// source is the body of an upload. net/http may read a body after it has returned
// the response; the caller's reader must not be read then.
type source struct {
	reading chan struct{} // size 1: full during a read, and after the end
	ended   chan struct{} // closed at the end
	r       io.Reader     // guarded by reading
	err     error         // of r; guarded by reading
}

func newSource(r io.Reader) *source {
	return &source{reading: make(chan struct{}, 1), ended: make(chan struct{}), r: r}
}

// Read reads from the caller's reader, until end is called.
func (s *source) Read(p []byte) (int, error) {
	select {
	case <-s.ended:
		return 0, errEnded
	default:
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-s.ended:
		return 0, errEnded
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // io.Reader returns io.EOF unwrapped
		s.err = err
	}
	return n, err
}

// failure returns the error that the caller's reader has returned.
func (s *source) failure() error {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
		return s.err
	default:
		return nil // a read is in progress, so none has failed
	}
}

// end waits for a read in progress and prevents further ones.
func (s *source) end() {
	close(s.ended)
	s.reading <- struct{}{} // never released
}
