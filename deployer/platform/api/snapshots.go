package api

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// The trailers of the response to an upload.
const (
	trailerFailure = "X-Build-Failure" // why the build failed
	trailerRetry   = "X-Build-Retry"   // "1" if the failure is the platform's
	trailerCode    = "X-Build-Code"    // the failure's code
	trailerDetail  = "X-Build-Detail"  // the last lines that matter, percent-encoded
)

func (a *API) listSnapshots(c *call) error {
	list, err := a.o.Apps.Snapshots(c.user, c.app)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"snapshots": list})
}

func (a *API) fetchSnapshot(c *call) error {
	id, ok := strings.CutSuffix(c.r.PathValue("file"), ".tgz")
	if !ok {
		return core.Errorf(core.CodePlatformSnapshotNotFound, "Fetch a snapshot by its file name, which ends in .tgz")
	}
	file, err := a.o.Apps.Open(c.user, c.app, id)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/gzip")
	c.w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	_, err = io.Copy(&output{c: c}, file)
	return err
}

// uploadSnapshot receives the archive and streams the output of its build. The
// trailers say how the build ended.
func (a *API) uploadSnapshot(c *call) error {
	// An upload may take longer than the write timeout, and still be refused.
	if err := http.NewResponseController(c.w).SetWriteDeadline(time.Time{}); err != nil {
		return err
	}
	out := &output{c: c, flush: true, trailers: trailerFailure + ", " + trailerRetry + ", " + trailerCode + ", " + trailerDetail}
	built, err := a.o.Apps.Upload(c.ctx(), c.user, c.app, c.r.PathValue("snapshot"), c.r.URL.Query().Get("root"), &input{c: c}, out)
	e, refused := errors.AsType[*core.Error](err)
	switch {
	case err == nil && built:
		_, err = io.WriteString(out, "This snapshot is built already.\n")
		return err
	case err == nil:
		return out.begin()
	case !out.begun && (!refused || e.Code != core.CodePlatformBuildFailed):
		return err // before the build began
	case c.ctx().Err() != nil:
		return err
	case refused:
		_, again := core.Retryable(err)
		return out.fail(e, again || e.Code != core.CodePlatformBuildFailed)
	}
	a.o.Logger.ErrorContext(c.ctx(), "platform failed", "route", c.r.Pattern, "error", err)
	return out.fail(core.Errorf(core.CodePlatformInternal, "The platform failed while it built the snapshot; its log says why. Try again later"), true)
}

// output is a response body of any length. It begins with the first write.
type output struct {
	c        *call
	flush    bool   // send each write at once
	trailers string // names of the trailers
	begun    bool
}

// Write writes p. A client that receives nothing for too long is disconnected.
func (o *output) Write(p []byte) (int, error) {
	if err := o.begin(); err != nil {
		return 0, err
	}
	n, err := o.c.w.Write(p)
	if err == nil && o.flush {
		err = http.NewResponseController(o.c.w).Flush()
	}
	return n, err
}

func (o *output) begin() error {
	control := http.NewResponseController(o.c.w)
	if err := control.SetWriteDeadline(time.Now().Add(stall)); err != nil || o.begun {
		return err
	}
	o.begun = true
	h := o.c.w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Trailer", o.trailers)
	}
	o.c.w.WriteHeader(http.StatusOK)
	return nil
}

// fail ends the response with the trailers of a failure.
func (o *output) fail(e *core.Error, again bool) error {
	if err := o.begin(); err != nil {
		return err
	}
	h := o.c.w.Header()
	h.Set(trailerFailure, oneLine(e.Reason))
	h.Set(trailerCode, string(e.Code))
	h.Set(trailerDetail, url.PathEscape(e.Detail))
	if again {
		h.Set(trailerRetry, "1")
	}
	return nil
}

// oneLine returns the text as a header value: one line of printable ASCII.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7f:
			return -1
		case r > '~':
			return '?'
		}
		return r
	}, text)
}

// input is an upload body of any length. A client that sends nothing for too long
// is disconnected.
type input struct{ c *call }

// Read reads the next bytes.
func (i *input) Read(p []byte) (int, error) {
	control := http.NewResponseController(i.c.w)
	if err := control.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	n, err := i.c.r.Body.Read(p)
	if err == io.EOF { //nolint:errorlint // io.Reader returns io.EOF unwrapped
		// What follows is the build, which may take longer than the limit.
		if ended := control.SetReadDeadline(time.Time{}); ended != nil {
			return n, ended
		}
	}
	return n, err
}

func (a *API) activateSnapshot(c *call) error {
	app, err := a.o.Apps.Activate(c.user, c.app, c.r.PathValue("snapshot"), c.order())
	return c.answerApp(http.StatusOK, app, err)
}

func (a *API) destroySnapshot(c *call) error {
	if err := c.clearDeadlines(); err != nil {
		return err
	}
	if err := a.o.Apps.DestroySnapshot(c.ctx(), c.user, c.app, c.r.PathValue("snapshot")); err != nil {
		return err
	}
	return c.done()
}
