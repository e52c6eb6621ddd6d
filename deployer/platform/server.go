package platform

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

	"github.com/nodejitsu/webhooks/deployer/platform/conns"
	"github.com/nodejitsu/webhooks/deployer/platform/peer"
)

// server is a handler on a port.
type server struct {
	listener net.Listener
	http     *http.Server // nil until it serves
	handler  http.Handler
	cancel   context.CancelFunc
	served   sync.WaitGroup
	busy     sync.RWMutex // read by each request, written at the end
}

// listen takes a port; setting is what the operator calls it, share bounds the
// connections where the options don't.
func listen(ctx context.Context, address, setting string, share conns.Share, o Options) (*server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return &server{listener: conns.Limit(listener, conns.Options{
		Total: cmp.Or(o.MaxConns, share.Connections()), Exempt: append(conns.Local(), o.Proxies...), Logger: o.Logger,
	})}, nil
}

func (s *server) port() string {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String()) // a listener's own address
	return port
}

// reachable is an address to connect to, also where s listens on all.
func (s *server) reachable() string {
	host, port, _ := net.SplitHostPort(s.listener.Addr().String()) // a listener's own address
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// serve begins to answer. limit is for a whole request and again for its
// answer, where the handler doesn't set its own; 0 is none. Of ctx only the
// values matter: serving ends by stop alone. Without certificates it is HTTP
// without TLS.
func (s *server) serve(ctx context.Context, handler http.Handler, limit time.Duration, certificates *tls.Config, o Options) {
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.handler = handler
	s.http = &http.Server{
		Handler:           s,
		TLSConfig:         certificates.Clone(), // net/http writes into it, and it may be another listener's too
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       limit,
		WriteTimeout:      limit,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConn,
	}
	s.served.Go(func() {
		serve := s.http.Serve
		if certificates != nil {
			serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
		}
		if err := serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			o.Fail(fmt.Errorf("platform: serving: %w", err))
		}
	})
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(peer.Context(ctx, c), connKey{}, c)
}

// ServeHTTP answers one request. net/http waits for handlers only where all
// goes well, so stop must see for itself that they have ended. And it forgets
// connections that have become WebSockets, so they are closed here.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.busy.TryRLock() {
		panic(http.ErrAbortHandler) // it has stopped
	}
	defer s.busy.RUnlock()
	if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
		// It may have come with two lengths, of which net/http drops one without
		// a word. Whoever stands before us may have believed the other, so that
		// what follows is no request of its own (RFC 9112, section 6.1).
		w.Header().Set("Connection", "close")
	}
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		// By then whoever is there has been told all that could be.
		defer context.AfterFunc(r.Context(), func() { _ = conn.Close() })()
	}
	s.handler.ServeHTTP(w, r)
}

// stop lets requests come to their end for half of the time that ctx leaves,
// and then cuts off what is left. No handler runs when it returns.
func (s *server) stop(ctx context.Context) error {
	if s.http == nil {
		return s.listener.Close()
	}
	grace := 10 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		grace = time.Until(deadline) / 2
	}
	graceful, end := context.WithTimeout(ctx, grace)
	defer end()
	err := s.http.Shutdown(graceful)
	s.cancel()
	if err != nil {
		err = s.http.Close()
	}
	s.served.Wait()
	s.busy.Lock() // for good
	return err
}
