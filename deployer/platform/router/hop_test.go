package router_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/router"
)

// rawDrone is a drone that writes answers as they are: serve is called for each
// connection, with its number from 1 on.
func rawDrone(t *testing.T, serve func(number int, conn net.Conn, in *bufio.Reader)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for number := 1; ; number++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close() //nolint:errcheck // the test is over
				serve(number, conn, bufio.NewReader(conn))
			}()
		}
	}()
	return l.Addr().String()
}

// next reads the head of the next request of a connection.
func next(in *bufio.Reader) bool {
	_, err := http.ReadRequest(in)
	return err == nil
}

// A connection is used for one request after the other, whatever their responses.
func TestConnectionIsKept(t *testing.T) {
	t.Parallel()
	var conns atomic.Int64
	f := setup(t, rawDrone(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		conns.Add(1)
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			answer := map[string]string{
				"/length":  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
				"/chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
				"/empty":   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
				"/none":    "HTTP/1.1 204 No Content\r\n\r\n",
				"/head":    "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
			}[req.URL.Path]
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	}))
	for _, path := range []string{"/length", "/chunked", "/empty", "/none", "/head", "/length"} {
		method, want := http.MethodGet, ""
		switch path {
		case "/head":
			method = http.MethodHead
		case "/length", "/chunked":
			want = "ok"
		}
		if resp, text := f.do(f.request(method, "app.example", path, nil)); resp.StatusCode/100 != 2 || text != want {
			t.Errorf("%s answers %d %q", path, resp.StatusCode, text)
		}
		f.requests.Wait()
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// A connection is not used again after a response that ends with it.
func TestConnectionIsNotKept(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"close":                 "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
		"until the end":         "HTTP/1.1 200 OK\r\n\r\nok",
		"HTTP/1.0":              "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"closes without a sign": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, rawDrone(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				if next(in) {
					_, _ = io.WriteString(conn, answer)
				}
			}))
			for range 3 {
				if resp, text := f.do(f.request(http.MethodGet, "app.example", "/", nil)); resp.StatusCode != http.StatusOK || text != "ok" {
					t.Errorf("got %d %q", resp.StatusCode, text)
				}
			}
		})
	}
}

// What a drone sends without being asked is not the response to the next request,
// which may be another client's.
func TestUnaskedResponse(t *testing.T) {
	t.Parallel()
	const asked, unasked = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	for _, together := range []bool{true, false} {
		t.Run(fmt.Sprintf("together=%t", together), func(t *testing.T) {
			t.Parallel()
			more, sent := make(chan struct{}), make(chan struct{}, 10)
			f := setup(t, rawDrone(t, func(number int, conn net.Conn, in *bufio.Reader) {
				for next(in) {
					if number > 1 {
						_, _ = io.WriteString(conn, asked)
						continue
					}
					if together {
						_, _ = io.WriteString(conn, asked+unasked)
						continue
					}
					_, _ = io.WriteString(conn, asked)
					<-more
					_, _ = io.WriteString(conn, unasked)
					sent <- struct{}{}
				}
			}))
			for i := range 3 {
				if _, text := f.do(f.request(http.MethodGet, "app.example", "/", nil)); text != "ok" {
					t.Errorf("got %q", text)
				}
				f.requests.Wait()
				if i == 0 && !together {
					close(more)
					<-sent
				}
			}
		})
	}
}

// Early hints pass.
func TestEarlyHints(t *testing.T) {
	t.Parallel()
	f := setup(t, rawDrone(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for next(in) {
			_, _ = io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}))
	for range 2 {
		hints := ""
		req := f.request(http.MethodGet, "app.example", "/", nil)
		req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = fmt.Sprint(code, h.Get("Link"))
				return nil
			},
		}))
		if _, text := f.do(req); text != "ok" || hints != "103</style.css>" {
			t.Errorf("got %q after %q", text, hints)
		}
	}
}

// A response that is not HTTP, or whose head does not end, is answered with 502.
func TestInvalidResponse(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"not HTTP":      "220 mail.example ESMTP\r\n\r\n",
		"switched":      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		"only 1xx":      strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10),
		"half a head":   "HTTP/1.1 200 OK\r\nContent-Le",
		"too long head": "HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("x", 11<<20) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, rawDrone(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				if next(in) {
					_, _ = io.WriteString(conn, answer)
				}
			}))
			if resp, text := f.do(f.request(http.MethodGet, "app.example", "/", nil)); resp.StatusCode != http.StatusBadGateway {
				t.Errorf("got %d %.100q, want 502", resp.StatusCode, text)
			}
		})
	}
}

// If the client goes away, the connection to the drone is closed: before the
// response, and in the middle of its body.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"before the response": "", "in the body": "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, gone := make(chan struct{}), make(chan struct{})
			f := setup(t, rawDrone(t, func(_ int, conn net.Conn, in *bufio.Reader) {
				if !next(in) {
					return
				}
				_, _ = io.WriteString(conn, begin)
				close(asked)
				_, _ = in.ReadByte() // until the connection is closed
				close(gone)
			}))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				resp, err := http.DefaultTransport.RoundTrip(f.request(http.MethodGet, "app.example", "/", nil).WithContext(ctx))
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}()
			<-asked
			cancel()
			<-ended
			<-gone
		})
	}
}

// Close closes the connections that are kept.
func TestCloseClosesKept(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	addr := rawDrone(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for next(in) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		close(gone)
	})
	var f *fixture
	t.Run("request", func(t *testing.T) {
		f = with(t, router.Options{}, addr)
		if _, text := f.do(f.request(http.MethodGet, "app.example", "/", nil)); text != "ok" {
			t.Errorf("got %q", text)
		}
	}) // its cleanup closes the router
	<-gone
}
