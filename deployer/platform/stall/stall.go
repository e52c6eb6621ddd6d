// Package stall cuts off clients that stop in the midst of a request's body or
// of its answer, of handlers that take as long as they need.
//
//	x, r := stall.Watch(w, r, stall.Limit)
//	defer x.End()
//	proxy.ServeHTTP(x, r)
//
// net/http's own limits are for whole requests and answers, so they can't be
// for what is passed on: uploads, streams and WebSockets. Here only a client
// that is waited for can be late. An answer that says nothing for hours lives
// on, as does a connection that has become a WebSocket.
package stall

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// Limit is how long a client may stop where nobody says otherwise.
const Limit = 60 * time.Second

// drain is how long the rest of a body is waited for which nobody needs.
const drain = 5 * time.Second

// Exchange is a request with its answer. It is the http.ResponseWriter for it.
type Exchange struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
	body    io.ReadCloser

	http1  bool
	duplex bool // an answer may begin before the body ends

	mu      sync.Mutex
	reading bool // the client is waited for
	read    bool // the body, to its end
	settled bool // nobody needs the rest of the body
	stalled bool
}

// Watch returns the exchange of r, and r as it is to be used from then on.
func Watch(w http.ResponseWriter, r *http.Request, limit time.Duration) (*Exchange, *http.Request) {
	// Where deadlines can't be set there is no connection to free either; so
	// what they return is not asked for, here and below.
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

// Duplex allows the answer to begin before the body ends, and to take long. Else
// net/http reads the rest of the body first, or closes the connection. HTTP/2
// knows no other way. It is to be called before the answer begins.
func (x *Exchange) Duplex() {
	x.duplex = true
	_ = x.control.EnableFullDuplex()
}

// Stalled tells whether the client stopped in the midst of the body.
func (x *Exchange) Stalled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stalled
}

// WriteHeader begins the answer.
func (x *Exchange) WriteHeader(status int) {
	switch {
	case status < http.StatusOK:
	case !x.duplex:
		x.settle()
	case x.http1 && x.unread():
		// What does not come by the end would be taken for the next request, of
		// which net/http takes no care in this mode.
		x.Header().Set("Connection", "close")
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *Exchange) unread() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.read
}

// Write writes on.
func (x *Exchange) Write(p []byte) (n int, err error) {
	if !x.duplex {
		x.settle()
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

// send lets the client take something. While it does, it may be silent.
func (x *Exchange) send(what func() error) error {
	x.mu.Lock()
	if x.reading && !x.settled {
		_ = x.control.SetReadDeadline(time.Now().Add(x.limit))
	}
	x.mu.Unlock()
	_ = x.control.SetWriteDeadline(time.Now().Add(x.limit))
	err := what()
	_ = x.control.SetWriteDeadline(time.Time{}) // HTTP/2 would end an answer that is silent
	return err
}

// End ends the exchange, when the handler has no more to do. What is left of
// the body is read, where that is short and comes soon.
func (x *Exchange) End() {
	if x.settle() && x.duplex {
		// Not left to net/http, which waits without end where somebody still reads.
		_ = x.FlushError()
		_ = x.body.Close()
	}
	_ = x.control.SetWriteDeadline(time.Now().Add(drain + x.limit)) // for what is still to be flushed
}

// settle gives up the rest of the body; false says that there is none.
func (x *Exchange) settle() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.read || x.settled {
		return !x.read
	}
	x.settled = true
	wait := drain
	if x.stalled {
		wait = 0
	}
	_ = x.control.SetReadDeadline(time.Now().Add(wait)) // also for who reads right now
	return true
}

// body is a request's body that is watched.
type body struct{ x *Exchange }

// Read reads on. While it does, the client may not be silent for too long.
func (b *body) Read(p []byte) (int, error) {
	x := b.x
	x.mu.Lock()
	if x.settled {
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
	x.read = x.read || err == io.EOF //nolint:errorlint // a reader's own EOF is this very value
	if !x.settled {
		x.stalled = errors.Is(err, os.ErrDeadlineExceeded)
		_ = x.control.SetReadDeadline(time.Time{}) // an answer may take as long as it needs
	}
	return n, err
}

// Close is left to [Exchange.End].
func (b *body) Close() error { return nil }
