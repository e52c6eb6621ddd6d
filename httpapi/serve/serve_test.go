package serve_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// start returns a server for handler that the test stops.
func start(t *testing.T, o serve.Options, handler http.Handler) *serve.Server {
	t.Helper()
	o.Name, o.Addr = "listen", "127.0.0.1:0"
	if o.Fail == nil {
		o.Fail = func(err error) { t.Error(err) }
	}
	s := serve.New(o)
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Serve(handler)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, s *serve.Server) net.Conn {
	t.Helper()
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// send sends a request as it is.
func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

func TestListenFails(t *testing.T) {
	t.Parallel()
	first := start(t, serve.Options{}, http.HandlerFunc(ok))
	second := serve.New(serve.Options{Name: "apps-listen", Addr: first.Addr()})
	err := second.Listen(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "apps-listen: ") || !strings.Contains(err.Error(), first.Addr()) {
		t.Errorf("on a port that is in use: %v", err)
	}
	if second.Addr() != "" {
		t.Errorf("it listens on %s", second.Addr())
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Errorf("stopping what never listened: %v", err)
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	s := serve.New(serve.Options{Name: "listen", Addr: ":0"})
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.Reachable(), "localhost:") {
		t.Errorf("got %s", s.Reachable())
	}
	for range 2 { // without Serve, and again
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// certificates returns self-signed certificates for TLS.
func certificates(t *testing.T) *tls.Config {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates, MinVersion: tls.VersionTLS12}
}

// What a proxy in front may have understood differently is the last request on
// its connection; anything else may be followed by more.
func TestAmbiguousRequestsCloseConnection(t *testing.T) {
	t.Parallel()
	s := start(t, serve.Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		ok(w, r)
	}))
	const body, last = "\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	for name, c := range map[string]struct {
		text string
		want int // responses, the one to last among them
	}{
		"a length":            {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 2},
		"chunks":              {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked" + body, 1},
		"a length and chunks": {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nTransfer-Encoding: chunked" + body, 1},
		"chunks and a length": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 12" + body, 1},
		"HTTP/1.0":            {"GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, s)
			send(t, conn, c.text+last)
			all, err := io.ReadAll(conn)
			if got := strings.Count(string(all), "HTTP/1."); err != nil || got != c.want {
				t.Errorf("%d responses, want %d: %s, %v", got, c.want, all, err)
			}
		})
	}
}

// Beyond the limit of connections a request is answered 503, and what the
// handler for that answers itself.
func TestOverload(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.Handler
		want    string
	}{
		"default": {nil, "503 Service Unavailable"},
		"own":     {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }), "418 I'm a teapot"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, serve.Options{MaxConns: 2, Overload: c.handler}, http.HandlerFunc(ok))
			var open []net.Conn
			for range 2 {
				conn := dial(t, s)
				send(t, conn, get)
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				open = append(open, conn)
			}
			for range 3 { // each is closed, which makes room for the next
				conn := dial(t, s)
				send(t, conn, get)
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.Status != c.want || !resp.Close || (c.handler == nil) != (resp.Header.Get("Retry-After") != "") {
					t.Errorf("got %s, closed %t, %v", resp.Status, resp.Close, resp.Header)
				}
			}
			_ = open[0].Close()
			for { // until the server has seen that
				conn := dial(t, s)
				send(t, conn, get)
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				_ = conn.Close()
				if resp.StatusCode == http.StatusOK {
					break
				}
			}
		})
	}
}

// A client that closes its sending side gets its response, as long as it waits
// for one. One that does so afterwards has gone.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	respond, gone := make(chan struct{}), make(chan struct{})
	s := start(t, serve.Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		if r.URL.Path == "/stream" {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(gone)
			return
		}
		select {
		case <-respond:
			ok(w, r)
		case <-r.Context().Done():
			t.Error("the request was cancelled")
		}
	}))
	closeWrite := func(c net.Conn) {
		t.Helper()
		if err := c.(*net.TCPConn).CloseWrite(); err != nil { //nolint:errcheck,forcetypeassert // it is TCP
			t.Fatal(err)
		}
	}
	var waiting []net.Conn
	for _, request := range []string{get, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)} {
		c := dial(t, s)
		send(t, c, request)
		closeWrite(c)
		waiting = append(waiting, c)
	}
	stream := dial(t, s)
	send(t, stream, strings.Replace(get, "/", "/stream", 1))
	if _, err := stream.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	closeWrite(stream)
	<-gone // which took longer than it takes to see that the others have closed
	close(respond)
	for i, c := range waiting {
		text, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(string(text), "ok") {
			t.Errorf("request %d: got %q, %v", i, text, err)
		}
	}
}

// A request that asks for it is canceled when its client closes its sending side,
// whether that has happened already or not.
func TestCancelOnClose(t *testing.T) {
	t.Parallel()
	arrived, closed, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s := start(t, serve.Options{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			close(arrived)
			<-closed
			serve.CancelOnClose(r)
		} else {
			serve.CancelOnClose(r)
			close(arrived)
		}
		<-r.Context().Done()
		close(gone)
	}))
	for _, path := range []string{"/early", "/late"} {
		c := dial(t, s)
		send(t, c, strings.Replace(get, "/", path, 1))
		<-arrived
		if err := c.(*net.TCPConn).CloseWrite(); err != nil { //nolint:errcheck,forcetypeassert // it is TCP
			t.Fatal(err)
		}
		close(closed)
		<-gone
		arrived, closed, gone = make(chan struct{}), make(chan struct{}), make(chan struct{})
	}
}

// A body that ends too early is not waited for.
func TestHalfBody(t *testing.T) {
	t.Parallel()
	s := start(t, serve.Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("reading the body: %v", err)
		}
		ok(w, r)
	}))
	c := dial(t, s)
	send(t, c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab")
	if err := c.(*net.TCPConn).CloseWrite(); err != nil { //nolint:errcheck,forcetypeassert // it is TCP
		t.Fatal(err)
	}
	if text, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(text), "ok") {
		t.Errorf("got %q, %v", text, err)
	}
}

// An untrusted user of this machine has its own address, and its headers about
// other clients are ignored. The peer is only identified if a request needs it.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	proxies, err := serve.ParseProxies([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, untrusted := range []bool{true, false} {
		asked := 0
		s := start(t, serve.Options{Trusted: proxies, Untrusted: func(uid uint32) bool {
			asked++
			return untrusted == (uid == uint32(os.Getuid())) //nolint:gosec // a uid
		}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			client := proxies.Client(r).Addr.String()
			if r.URL.Path == "/login" {
				client = proxies.ThrottleAddr(r)
			}
			_, _ = io.WriteString(w, client)
		}))
		ask := func(path, forwarded string) string {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if forwarded != "" {
				req.Header.Set("X-Forwarded-For", forwarded)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close() //nolint:errcheck // only read
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		if got := ask("/", ""); got != "127.0.0.1" || asked > 0 {
			t.Errorf("untrusted %t: got %s, asked %d times", untrusted, got, asked)
		}
		wantClient, wantLogin := "192.0.2.7", "127.0.0.1"
		if untrusted {
			wantClient, wantLogin = "127.0.0.1", "untrusted"
		}
		if got := ask("/", "192.0.2.7"); got != wantClient {
			t.Errorf("untrusted %t: with X-Forwarded-For got %s, want %s", untrusted, got, wantClient)
		}
		if got := ask("/login", ""); got != wantLogin {
			t.Errorf("untrusted %t: throttled as %s, want %s", untrusted, got, wantLogin)
		}
	}
}

// What any client can cause as often as it likes is one line in the log.
func TestErrorLog(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 100)
	s := start(t, serve.Options{TLS: certificates(t), Logger: slog.New(slog.NewTextHandler(writer(func(p []byte) {
		lines <- string(p)
	}), nil))}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("out of cheese") }))
	for range 3 {
		c := dial(t, s)
		send(t, c, "this is not TLS\r\n\r\n")
		_, _ = io.Copy(io.Discard, c) // until the server has seen it
	}
	c := tls.Client(dial(t, s), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test
	send(t, c, get)
	_, _ = io.Copy(io.Discard, c)
	if first, second := <-lines, <-lines; !strings.Contains(first, "TLS handshakes failed") || !strings.Contains(second, "out of cheese") {
		t.Errorf("got %s%s", first, second)
	}
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func ExampleServer() {
	s := serve.New(serve.Options{Name: "listen", Addr: "127.0.0.1:0"})
	ctx := context.Background()
	if err := s.Listen(ctx); err != nil {
		fmt.Println(err)
		return
	}
	s.Serve(http.HandlerFunc(ok))
	fmt.Println(s.Stop(ctx))
	// Output: <nil>
}
