package httpapi

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
)

// ServerOptions is what a Server is made of. Addr and API are required.
type ServerOptions struct {
	Addr string // host:port to listen on; port 0 for any
	API  *API
	// TLS has the certificates; nil: HTTP without TLS.
	TLS *tls.Config

	// Handler is served in the place of the API's own, such as one that puts
	// something around it; nil: the API.
	Handler http.Handler
	// Limit bounds the connections that a listener accepts; nil: nothing does.
	Limit func(net.Listener) net.Listener
	// ConnContext is http.Server's, for what Handler wants to know of a
	// connection; nil: nothing.
	ConnContext func(context.Context, net.Conn) context.Context
	// Drain is how long Stop lets everything go on, but for /readyz, which says
	// that nothing should be sent here: time for a balancer to notice. 0: none.
	Drain time.Duration
	// HeaderTimeout is for a request's headers to arrive, 5 s, and ReadTimeout
	// for all of it, 30 s: who sends more slowly is cut off.
	HeaderTimeout, ReadTimeout time.Duration
	// Fail is told when serving ends for another reason than Stop.
	Fail func(err error)

	Logger *slog.Logger
}

// Server serves an API on a port, with limits on what a client may take.
type Server struct {
	o      ServerOptions
	http   *http.Server
	cancel context.CancelCauseFunc // of the context of all requests
	served sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
}

var errStopped = errors.New("httpapi: the server stopped")

// NewServer returns a Server that does not listen yet.
func NewServer(o ServerOptions) *Server {
	if o.Handler == nil {
		o.Handler = o.API.Handler()
	}
	if o.Fail == nil {
		o.Fail = func(error) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancelCause(context.Background()) //nolint:forbidigo // ends by Stop alone
	s := &Server{o: o, cancel: cancel}
	s.http = &http.Server{
		TLSConfig:         o.TLS.Clone(), // net/http writes into it, and it may be another listener's too
		Handler:           o.Handler,
		ReadHeaderTimeout: cmp.Or(o.HeaderTimeout, 5*time.Second),
		ReadTimeout:       cmp.Or(o.ReadTimeout, 30*time.Second),
		WriteTimeout:      60 * time.Second, // feeds and deliveries put it off
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       o.ConnContext,
	}
	s.http.RegisterOnShutdown(o.API.EndFeeds)
	return s
}

// Start listens, which fails here where it does, and serves until Stop. ctx is
// for listening only.
func (s *Server) Start(ctx context.Context) error {
	if err := s.o.API.Validate(); err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.o.Addr)
	if err != nil {
		return fmt.Errorf("httpapi: %w", err)
	}
	if s.o.Limit != nil {
		listener = s.o.Limit(listener)
	}
	s.mu.Lock()
	s.listener = listener
	s.mu.Unlock()
	s.served.Go(func() {
		serve := s.http.Serve
		if s.o.TLS != nil {
			serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
		}
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.o.Fail(fmt.Errorf("httpapi: serving: %w", err))
		}
	})
	return nil
}

// Addr returns the address listened on, "" before Start.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Stop says that it is not ready any more and, after the time for that, ends the feeds and lets the other
// requests come to their end, for three quarters of the time that ctx leaves;
// then it cancels what is left and closes its connections. It may be called
// without Start, and again.
func (s *Server) Stop(ctx context.Context) error {
	s.o.API.Drain()
	if s.o.Drain > 0 {
		select {
		case <-time.After(s.o.Drain):
		case <-ctx.Done():
		}
	}
	grace := 10 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		grace = time.Until(deadline) * 3 / 4
	}
	graceful, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err := s.http.Shutdown(graceful)
	s.cancel(errStopped)
	if err != nil {
		err = fmt.Errorf("httpapi: requests were cut off: %w", errors.Join(err, s.http.Close()))
	}
	s.served.Wait()
	return err
}
