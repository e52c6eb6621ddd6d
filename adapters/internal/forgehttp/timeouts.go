package forgehttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// maxError is how much is read of the body of an error answer.
const maxError = 64 << 10

// errIdle is the error of a body that was given up after Timeouts.Idle.
var errIdle = errors.New("the server stopped sending")

// Timeouts is a RoundTripper that limits the time between two parts of a body,
// and its size.
type Timeouts struct {
	Next  http.RoundTripper
	Idle  time.Duration
	Limit int64 // bytes of the body of a success; 0 means no limit
}

// RoundTrip implements [http.RoundTripper].
func (p *Timeouts) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	resp, err := p.Next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	limit := p.Limit
	if resp.StatusCode >= 300 {
		limit = maxError
	}
	watched := &body{ReadCloser: resp.Body, reader: resp.Body, idle: p.Idle, cancel: cancel}
	if limit > 0 {
		watched.reader = io.LimitReader(resp.Body, limit)
	}
	resp.Body = watched
	return resp, nil
}

// body is the body of an answer. Its request is cancelled if nothing comes for a
// time.
type body struct {
	io.ReadCloser
	reader  io.Reader // reads from ReadCloser, up to a limit
	idle    time.Duration
	cancel  context.CancelCauseFunc // of the request
	stalled atomic.Bool
}

// Read implements [io.Reader]. The time between two calls does not count: the
// caller may have a slow reader of its own.
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
