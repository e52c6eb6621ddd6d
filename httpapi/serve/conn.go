package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve/connlimit"
	"github.com/nodejitsu/webhooks/httpapi/serve/peercred"
)

// halfClosedLimit is how long a client that has closed its sending side is
// waited for to get the beginning of its response.
const halfClosedLimit = time.Minute

// listener makes connections those of its server.
type listener struct {
	net.Listener
	s *Server

	paused    atomic.Bool
	drained   chan struct{} // closed when it was paused, and Accept has returned the last connection
	drainOnce sync.Once
	closed    chan struct{}
	closeOnce sync.Once
}

func newListener(l net.Listener, s *Server) *listener {
	return &listener{Listener: l, s: s, drained: make(chan struct{}), closed: make(chan struct{})}
}

// Accept waits for a connection.
func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		if l.paused.Load() {
			l.drainOnce.Do(func() { close(l.drained) })
			<-l.closed
		}
		return nil, err
	}
	c := &conn{s: l.s, peer: peercred.New(accepted), closed: make(chan struct{})}
	c.Conn, _ = accepted.(*connlimit.Conn) // what connlimit accepts
	l.s.addFresh(c)
	return c, nil
}

// pause accepts no more connections. Accept fails only after Close.
func (l *listener) pause() error {
	l.paused.Store(true)
	return ignoreClosed(l.Listener.Close())
}

// Close closes the listener.
func (l *listener) Close() error {
	l.closeOnce.Do(func() { close(l.closed) })
	return ignoreClosed(l.Listener.Close())
}

// conn is a connection of a server.
//
// It answers clients that close their sending side after a request, such as
// `nc -N` and some health checkers. net/http can't distinguish them from clients that
// have gone: it cancels the request. So the end of what a client sends is
// hidden from it until the response is written. Once a response has begun, it
// means that the client has gone: that is how streams end. If the client has
// gone before, writing the response fails.
type conn struct {
	*connlimit.Conn
	s      *Server
	peer   *peercred.Peer
	resets resetBudget

	fresh      atomic.Bool // no request has reached the handler yet
	responding atomic.Bool // a part of the response to the current request was written

	mu       sync.Mutex
	active   bool          // a request is being answered
	attended bool          // see CancelOnClose
	deadline time.Time     // for reading
	wake     chan struct{} // closed when one of these changes; nil if there are no waiters

	closeOnce sync.Once
	closed    chan struct{}
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	if own := ownConn(c); own != nil {
		return context.WithValue(ctx, connKey{}, own)
	}
	return ctx
}

// connOf returns the connection of a request, nil if it is not one of a [Server].
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// ownConn returns the connection below TLS.
func ownConn(c net.Conn) *conn {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	own, _ := c.(*conn)
	return own
}

// connState is called by net/http when the state of a connection changes.
func (s *Server) connState(nc net.Conn, state http.ConnState) {
	c := ownConn(nc)
	if c == nil {
		return
	}
	switch state {
	case http.StateActive:
		c.responding.Store(false)
		c.setActive(true)
	case http.StateHijacked:
		s.mu.Lock()
		s.hijacked[c] = struct{}{}
		s.mu.Unlock()
		c.setActive(false)
	case http.StateNew, http.StateIdle, http.StateClosed:
		c.setActive(false)
	}
}

// closeHijacked closes the connections that net/http does not know any more.
func (s *Server) closeHijacked() {
	s.mu.Lock()
	all := make([]*conn, 0, len(s.hijacked))
	for c := range s.hijacked {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// Close closes the connection.
func (c *conn) Close() error {
	c.closeOnce.Do(func() {
		close(c.closed)
		c.s.removeFresh(c)
		c.s.mu.Lock()
		delete(c.s.hijacked, c)
		c.s.mu.Unlock()
	})
	return c.Conn.Close()
}

func (c *conn) setActive(active bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active, c.attended = active, false
	c.wakeReader()
}

// CancelOnClose cancels the context of a request as soon as its client closes its
// sending side, also before the response begins: for a request that takes long, and
// whose client stays until the response. The body must have been read.
func CancelOnClose(r *http.Request) {
	c := connOf(r)
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attended = true
	c.wakeReader()
}

// SetDeadline sets the deadlines of reading and writing.
func (c *conn) SetDeadline(t time.Time) error {
	c.setReadDeadline(t)
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline sets the deadline of reading.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.setReadDeadline(t)
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) setReadDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	c.wakeReader()
}

// wakeReader is called with c.mu held.
func (c *conn) wakeReader() {
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// Read reads what the client sends.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	// net/http waits for a single byte to see whether a client is still there
	// while its request is answered. Everything else it reads in larger parts.
	if n == 0 && err == io.EOF && len(p) == 1 && c.s.o.TLS == nil && !c.responding.Load() { //nolint:errorlint // a connection returns this very value
		return 0, c.awaitResponse()
	}
	return n, err
}

// awaitResponse waits until the current request is answered, and returns what
// Read is to return then.
func (c *conn) awaitResponse() error {
	limit := time.NewTimer(halfClosedLimit)
	defer limit.Stop()
	for {
		c.mu.Lock()
		active, attended, deadline := c.active, c.attended, c.deadline
		if c.wake == nil {
			c.wake = make(chan struct{})
		}
		wake := c.wake
		c.mu.Unlock()
		var expired <-chan time.Time
		switch {
		case !active, attended:
			return io.EOF
		case deadline.IsZero():
		case time.Until(deadline) <= 0:
			return os.ErrDeadlineExceeded
		default:
			expired = time.After(time.Until(deadline))
		}
		select {
		case <-wake:
		case <-expired:
		case <-c.closed:
			return net.ErrClosed
		case <-limit.C:
			if !c.responding.Load() {
				return io.EOF
			}
		}
	}
}

// Write writes a part of a response.
func (c *conn) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 1")) { // 100 Continue begins none
		c.responding.Store(true)
	}
	return c.Conn.Write(p)
}

// ReadFrom writes a part of a response, by sendfile(2) or splice(2) if it can.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	c.responding.Store(true)
	return c.Conn.ReadFrom(r)
}
