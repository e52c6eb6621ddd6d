// Package slowclient cuts off clients that stop in the middle of sending a
// request's body or of reading its response, for handlers that take as long as
// they need.
//
//	x, r := slowclient.Watch(w, r, slowclient.Limit)
//	defer x.End()
//	proxy.ServeHTTP(x, r)
//
// The timeouts of net/http are for whole requests and responses, so they don't
// fit what is passed on: uploads, streams and WebSockets. Here only a client
// that is waited for can be late. A response that says nothing for hours lives
// on, and so does a connection that has become a WebSocket.
package slowclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// Limit is the default for how long a client may stop.
const Limit = 60 * time.Second

// drainLimit is how long to wait for the unused rest of a body.
const drainLimit = 5 * time.Second

// Exchange is a request with its response. It is the http.ResponseWriter for it.
type Exchange struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
	body    io.ReadCloser

	http1  bool
	duplex bool // the response may begin before the body ends

	mu      sync.Mutex
	reading bool // the client is waited for
	read    bool // the body has been read to its end
	dropped bool // the rest of the body is not needed
	stalled bool
}

// Watch returns the exchange of r, and r as it is to be used from then on.
func Watch(w http.ResponseWriter, r *http.Request, limit time.Duration) (*Exchange, *http.Request) {
	// If deadlines can't be set, there is no connection to free either. So their
	// errors are ignored, here and below.
	x := &Exchange{ResponseWriter: w, control: http.NewResponseController(w), limit: limit, body: r.Body, http1: r.ProtoMajor == 1}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	if r.Body == nil || r.Body == http.NoBody {
		x.read = true
	} else {
		r.Body = &body{x}
	}
	return x, r
}

type exchangeKey struct{}

// Of returns the exchange of a request that has the context of a watched one.
func Of(r *http.Request) *Exchange {
	x, _ := r.Context().Value(exchangeKey{}).(*Exchange)
	return x
}

// Duplex allows the response to begin before the body ends, and to take long.
// Otherwise net/http reads the rest of the body first, or closes the connection.
// HTTP/2 always allows it. It is to be called before the response begins.
func (x *Exchange) Duplex() {
	x.duplex = true
	_ = x.control.EnableFullDuplex()
}

// Stalled reports whether the client stopped in the middle of the body.
func (x *Exchange) Stalled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stalled
}

// WriteHeader begins the response.
func (x *Exchange) WriteHeader(status int) {
	switch {
	case status == http.StatusContinue:
		// net/http sends it when the body is read, and would send it once more for a
		// handler that passes on what it has received.
		return
	case status < http.StatusOK:
	case !x.duplex:
		x.drop()
	case x.http1 && x.unread():
		// What is still to come of the body would be taken for the next request:
		// net/http does not read it in this mode.
		x.Header().Set("Connection", "close")
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *Exchange) unread() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.read
}

// Write writes a part of the response.
func (x *Exchange) Write(p []byte) (n int, err error) {
	if !x.duplex {
		x.drop()
	}
	err = x.send(func() (err error) {
		n, err = x.ResponseWriter.Write(p)
		return err
	})
	return n, err
}

// FlushError sends what was written.
func (x *Exchange) FlushError() error { return x.send(x.control.Flush) }

// Unwrap serves http.ResponseController.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// send lets the client read something. Meanwhile it may send nothing.
func (x *Exchange) send(what func() error) error {
	x.mu.Lock()
	if x.reading && !x.dropped {
		_ = x.control.SetReadDeadline(time.Now().Add(x.limit))
	}
	x.mu.Unlock()
	_ = x.control.SetWriteDeadline(time.Now().Add(x.limit))
	err := what()
	if !x.http1 {
		_ = x.control.SetWriteDeadline(time.Time{}) // HTTP/2 would end a silent response
	}
	return err
}

// End ends the exchange when the handler is done. What is left of the body is
// read, if that is short and comes soon.
func (x *Exchange) End() {
	if x.drop() && x.duplex {
		// net/http would wait without a limit if a handler still reads.
		_ = x.FlushError()
		_ = x.body.Close()
	}
	_ = x.control.SetWriteDeadline(time.Now().Add(drainLimit + x.limit)) // for what is still to be flushed
}

// drop abandons the rest of the body; it returns false if there is none.
func (x *Exchange) drop() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.read || x.dropped {
		return !x.read
	}
	x.dropped = true
	wait := drainLimit
	if x.stalled {
		wait = 0
	}
	_ = x.control.SetReadDeadline(time.Now().Add(wait)) // also ends a Read that waits right now
	return true
}

// body is the body of a watched request.
type body struct{ x *Exchange }

// Read reads a part of the body. Meanwhile the client may not be silent for too long.
func (b *body) Read(p []byte) (int, error) {
	x := b.x
	x.mu.Lock()
	if x.dropped {
		x.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	x.reading = true
	_ = x.control.SetReadDeadline(time.Now().Add(x.limit))
	x.mu.Unlock()
	n, err := x.body.Read(p)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.reading = false
	x.read = x.read || err == io.EOF //nolint:errorlint // a reader returns this very value
	if !x.dropped {
		x.stalled = errors.Is(err, os.ErrDeadlineExceeded)
		_ = x.control.SetReadDeadline(time.Time{}) // the response may take as long as it needs
	}
	return n, err
}

// Close does nothing: [Exchange.End] closes the body.
func (b *body) Close() error { return nil }
