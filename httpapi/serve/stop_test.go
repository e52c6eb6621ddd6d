package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// Requests end by themselves if they do in time.
func TestStop(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}), make(chan struct{})
	s := serve.New(serve.Options{Name: "listen", Addr: "127.0.0.1:0"})
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-end
		ok(w, r)
	}))
	c := dial(t, s)
	send(t, c, get)
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(t.Context()) }()
	untilRefused(t, s)
	close(end)
	if text, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(text), "ok") {
		t.Errorf("the request got %q, %v", text, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// untilRefused waits until s accepts no more connections.
func untilRefused(t *testing.T, s *serve.Server) {
	t.Helper()
	for {
		var dialer net.Dialer
		another, err := dialer.DialContext(t.Context(), "tcp", s.Addr())
		if err != nil {
			return
		}
		_ = another.Close()
	}
}

// A request is answered whose connection was accepted before Stop, and which comes
// after it.
func TestStopAnswersAccepted(t *testing.T) {
	t.Parallel()
	for name, certificates := range map[string]*tls.Config{"plain": nil, "TLS": certificates(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve.New(serve.Options{Name: "listen", Addr: "127.0.0.1:0", TLS: certificates})
			if err := s.Listen(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.Serve(http.HandlerFunc(ok))
			c := dial(t, s)
			for range 2 { // connections are accepted in order
				another := secured(dial(t, s), certificates)
				send(t, another, get)
				if _, err := http.ReadResponse(bufio.NewReader(another), nil); err != nil { //nolint:bodyclose // the connection is closed at the end
					t.Fatal(err)
				}
			}
			stopped := make(chan error, 1)
			go func() { stopped <- s.Stop(t.Context()) }()
			untilRefused(t, s)
			c = secured(c, certificates)
			send(t, c, get)
			if text, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(text), "ok") {
				t.Errorf("the request got %q, %v", text, err)
			}
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		})
	}
}

// secured returns a client's connection by TLS if the server has certificates.
func secured(c net.Conn, certificates *tls.Config) net.Conn {
	if certificates == nil {
		return c
	}
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test's own server
}

// Requests that do not end in time are aborted. No handler runs after Stop.
func TestStopAborts(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	var cause error // read after Stop, written before
	var log bytes.Buffer
	s := serve.New(serve.Options{Name: "listen", Addr: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		cause = context.Cause(r.Context())
	}))
	send(t, dial(t, s), get)
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); err != nil || !strings.Contains(log.String(), "requests aborted") {
		t.Errorf("Stop returned %v, the log has %q", err, log.String())
	}
	if cause == nil || !strings.Contains(cause.Error(), "stopped") {
		t.Errorf("the request was aborted by %v", cause)
	}
}

// Stop also ends what net/http does not know any more.
func TestStopClosesHijacked(t *testing.T) {
	t.Parallel()
	for name, certificates := range map[string]*tls.Config{"plain": nil, "TLS": certificates(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, serve.Options{TLS: certificates}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(c, "hijacked")
			}))
			c := dial(t, s)
			if certificates != nil {
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test
			}
			send(t, c, get)
			if _, err := io.ReadFull(c, make([]byte, len("hijacked"))); err != nil {
				t.Fatal(err)
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
				t.Error("the connection lives on")
			}
		})
	}
}
