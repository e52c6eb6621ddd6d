package serve

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve/connlimit"
	"github.com/nodejitsu/webhooks/httpapi/serve/episode"
)

// Options are what [New] takes; Name and Addr are required.
type Options struct {
	Name string // of the setting that has the address, for errors and the log
	Addr string // host:port to listen on; port 0 for any
	// Bind returns the listener on Addr, such as one that another process has
	// opened; default: a new one.
	Bind Bind
	// TLS has the certificates; nil: HTTP without TLS.
	TLS *tls.Config

	// MaxConns is how many connections there may be at a time; default: one n-th
	// of the files that the process may open, where n is FileShare.
	MaxConns, FileShare int
	// Trusted are the proxies in front. The limit of connections from one
	// address does not apply to them, nor to this machine.
	Trusted Proxies
	// Untrusted reports whether a user of this machine is not to be believed: one
	// that runs other people's programs. Default: none is.
	Untrusted func(uid uint32) bool
	// Overload answers the requests on connections beyond MaxConns, of which
	// there are a few; default: 503 for all.
	Overload http.Handler

	HeaderTimeout time.Duration // for the headers of a request; 5 s
	ReadTimeout   time.Duration // for a whole request; 0: no limit
	WriteTimeout  time.Duration // from the end of the headers to the end of the response; 0: no limit

	Fail   func(error) // called if serving ends for another reason than Stop; default: nothing
	Logger *slog.Logger
}

// Bind returns a listener on an address; name is that of the setting that has it.
type Bind func(ctx context.Context, name, addr string) (net.Listener, error)

const (
	idleTimeout    = time.Minute
	maxHeaderBytes = 64 << 10
	// reserve is how many connections beyond the limit are served, so that clients
	// get an error response with Retry-After and health checks a response.
	reserve = 64
	// retryAfter is what the response to a request beyond the limit asks for.
	retryAfter = "5"
)

// Server is an HTTP server on one address.
type Server struct {
	o      Options
	http   *http.Server
	cancel context.CancelCauseFunc
	served sync.WaitGroup
	busy   sync.RWMutex // read-locked by each request, locked at the end

	mu       sync.Mutex
	listener *listener
	serves   bool               // Serve was called
	hijacked map[*conn]struct{} // which net/http forgets
	fresh    int                // connections that are fresh
	settled  chan struct{}      // closed when there are none; nil unless Stop waits

	resets, unidentified *episode.Episode
}

// errStopped is the cause with which the context of a request ends.
var errStopped = errors.New("serve: the server stopped")

// New returns a Server that does not listen yet.
func New(o Options) *Server {
	o.HeaderTimeout = cmp.Or(o.HeaderTimeout, 5*time.Second)
	if o.MaxConns == 0 {
		o.MaxConns = connlimit.Share(cmp.Or(o.FileShare, 2))
	}
	if o.Bind == nil {
		o.Bind = func(ctx context.Context, _, addr string) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		}
	}
	if o.Overload == nil {
		o.Overload = http.HandlerFunc(overloaded)
	}
	if o.Fail == nil {
		o.Fail = func(error) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancelCause(context.Background()) //nolint:forbidigo // ends by Stop alone
	logger := o.Logger.With("listener", o.Name)
	s := &Server{
		o: o, cancel: cancel, hijacked: map[*conn]struct{}{},
		resets:       episode.New(logger, slog.LevelWarn, "connections closed: too many HTTP/2 streams reset"),
		unidentified: episode.New(logger, slog.LevelWarn, "local clients can't be identified"),
	}
	s.http = &http.Server{
		TLSConfig:         o.TLS.Clone(), // net/http writes into it, and it may be another listener's too
		ReadHeaderTimeout: o.HeaderTimeout,
		ReadTimeout:       o.ReadTimeout,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          errorLog(logger),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConn,
		ConnState:         s.connState,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerConnection: 256 << 10,
			MaxReceiveBufferPerStream:     256 << 10,
		},
	}
	return s
}

// Listen binds the address. ctx is for that only.
func (s *Server) Listen(ctx context.Context) error {
	l, err := s.o.Bind(ctx, s.o.Name, s.o.Addr)
	if err != nil {
		return fmt.Errorf("%s: %w", s.o.Name, err)
	}
	limited := connlimit.Listen(l, connlimit.Options{
		Total: s.o.MaxConns, Reserve: reserve, Exempt: s.o.Trusted.standsForMany,
		Logger: s.o.Logger.With("listener", s.o.Name),
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = newListener(limited, s)
	return nil
}

// Serve begins to answer requests, until Stop. It does not wait.
func (s *Server) Serve(handler http.Handler) {
	s.mu.Lock()
	l := s.listener
	s.serves = true
	s.http.Handler = s.guard(handler)
	s.mu.Unlock()
	s.served.Go(func() {
		serve := s.http.Serve
		if s.o.TLS != nil {
			serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
		}
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.o.Fail(fmt.Errorf("%s: serving: %w", s.o.Name, err))
		}
	})
}

// Addr returns the address listened on, "" before Listen.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Reachable returns an address to connect to: localhost if s listens on all
// addresses of the machine.
func (s *Server) Reachable() string {
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		return s.Addr()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// Stop accepts no more connections and lets requests end by themselves, for
// half of the time that ctx leaves. Then it cancels their contexts and closes
// their connections, and those that became WebSockets. No handler runs when it
// returns. It may be called at any time, and again.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	l, serves := s.listener, s.serves
	s.mu.Unlock()
	if !serves {
		s.cancel(errStopped)
		if l == nil {
			return nil
		}
		return l.Close()
	}
	grace := 10 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		grace = time.Until(deadline) / 2
	}
	graceful, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	s.settle(graceful, l)
	err := s.http.Shutdown(graceful)
	s.cancel(errStopped)
	if err != nil {
		s.o.Logger.InfoContext(ctx, "requests aborted", "listener", s.o.Name)
		err = s.http.Close()
	}
	s.closeHijacked()
	s.served.Wait()
	s.busy.Lock() // waits for the handlers
	defer s.busy.Unlock()
	return err
}

// settle accepts no more connections, and waits for the first request of each that was
// accepted, as long as its header may take: after Shutdown, net/http closes a
// connection whose request it has just read, without a response.
func (s *Server) settle(ctx context.Context, l *listener) {
	ctx, cancel := context.WithTimeout(ctx, s.o.HeaderTimeout)
	defer cancel()
	s.http.SetKeepAlivesEnabled(false)
	_ = l.pause() // Shutdown closes it again
	select {
	case <-l.drained:
	case <-ctx.Done():
		return
	}
	s.mu.Lock()
	if s.fresh == 0 {
		s.mu.Unlock()
		return
	}
	settled := make(chan struct{})
	s.settled = settled
	s.mu.Unlock()
	select {
	case <-settled:
	case <-ctx.Done():
	}
}

// addFresh counts a connection that was accepted.
func (s *Server) addFresh(c *conn) {
	c.fresh.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh++
}

// removeFresh is called when a request of the connection reaches the handler, and when
// the connection is closed.
func (s *Server) removeFresh(c *conn) {
	if !c.fresh.CompareAndSwap(true, false) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fresh--; s.fresh == 0 && s.settled != nil {
		close(s.settled)
		s.settled = nil
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// guard returns the handler with what is decided for each request.
func (s *Server) guard(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// net/http does not wait for handlers when connections are closed, so Stop
		// has to see for itself that they have returned.
		if !s.busy.TryRLock() {
			panic(http.ErrAbortHandler) // it has stopped
		}
		defer s.busy.RUnlock()
		c := connOf(r)
		s.removeFresh(c)
		if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
			// It may have come with two lengths, of which net/http silently drops one.
			// A proxy in front may have believed the other one, so that what follows
			// is no request of its own (RFC 9112, section 6.1).
			w.Header().Set("Connection", "close")
		}
		defer c.countReset(r)
		if c.Reserve() {
			w.Header().Set("Connection", "close")
			s.o.Overload.ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// overloaded is the response if there are too many connections.
func overloaded(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", retryAfter)
	http.Error(w, "The server has too many connections. Try again in a moment.", http.StatusServiceUnavailable)
}
