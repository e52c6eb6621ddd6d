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
	Active   bool   `json:"active"`  // the next start runs it
	Running  bool   `json:"running"` // it runs
}

// Trailers of the answer to an upload.
const (
	trailerFailure = "X-Build-Failure" // the reason; the build failed
	trailerRetry   = "X-Build-Retry"   // ours: the platform is at fault, so try again
	trailerCode    = "X-Build-Code"    // ours: the failure's code
	trailerDetail  = "X-Build-Detail"  // ours: the last lines that matter, percent-encoded
)

// Snapshots returns an app's snapshots, those that were built.
func (c *Client) Snapshots(ctx context.Context, user, app string) ([]Snapshot, error) {
	var answer struct {
		Snapshots []Snapshot `json:"snapshots"`
	}
	err := c.call(ctx, request{doing: "list snapshots", method: http.MethodGet, path: appPath(user, app, "snapshots")}, &answer)
	return answer.Snapshots, err
}

// UploadSnapshot sends body, a tgz with one top folder package/, and has the app
// in its folder root built; "" is the top. What the build prints is written to out as it comes. A build that
// failed is an [Error] without a status.
//
// body is not closed, and not read after the call, which therefore waits for a
// read that is under way: one that may take long must end with ctx. Where
// reading it fails, so does the upload, with that error, unless the platform had
// refused it by then.
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
	req.Header.Set("Expect", "100-continue") // a snapshot that is refused needs no sending
	resp, err := c.send(req, r)
	if err == nil {
		err = outcome(ctx, r.doing, resp, out, redact.Request(req)) // which may have begun before the body ended
	}
	if _, refused := errors.AsType[*Error](err); refused {
		return err // whatever became of the rest of the body
	}
	if failure := source.failure(); failure != nil {
		return fmt.Errorf("nodejitsu: upload snapshot: reading it: %w", failure)
	}
	return err
}

// outcome passes on what the build prints, and tells how it ended. It closes
// the answer, at once where that can't be passed on: the rest may be long.
func outcome(ctx context.Context, doing string, resp *http.Response, out io.Writer, credentials *redact.Redactor) error {
	defer resp.Body.Close() //nolint:errcheck // only read
	printed := &printer{w: out}
	clean := redact.NewWriter(printed, credentials)
	_, err := io.Copy(clean, resp.Body)
	if flushErr := clean.Flush(); err == nil {
		err = flushErr
	}
	if printed.err != nil {
		return fmt.Errorf("nodejitsu: %s: passing on the build's output: %w", doing, printed.err)
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

// printer tells a failure to write from one to read.
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

// errEnded is what net/http reads where the upload is over.
var errEnded = errors.New("nodejitsu: the upload is over")

// source is the body of an upload. net/http may go on reading a body after it
// has returned the answer; the caller's reader must not be read then.
type source struct {
	turn chan struct{} // size 1: held while reading, and for good at the end
	over chan struct{} // closed at the end
	r    io.Reader     // guarded by turn
	err  error         // of r; guarded by turn
}

func newSource(r io.Reader) *source {
	return &source{turn: make(chan struct{}, 1), over: make(chan struct{}), r: r}
}

// Read reads on, until the end.
func (s *source) Read(p []byte) (int, error) {
	select {
	case <-s.over:
		return 0, errEnded
	default:
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-s.over:
		return 0, errEnded
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a reader's own EOF is this very value
		s.err = err
	}
	return n, err
}

// failure returns the error of the caller's reader, so far.
func (s *source) failure() error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
		return s.err
	default:
		return nil // it is being read, so it has not failed
	}
}

// end waits for a read that is under way; after it there is none.
func (s *source) end() {
	close(s.over)
	s.turn <- struct{}{} // for good
}
