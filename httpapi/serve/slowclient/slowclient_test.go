package slowclient_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve/slowclient"
)

const limit = time.Minute

// network is a network without buffers in memory, for a test in a bubble of
// synctest: there, the time passes only while all wait. It has one server.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
	close  sync.Once
}

func newNetwork() *network {
	return &network{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case conn := <-n.conns:
		return conn, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	n.close.Do(func() { close(n.closed) })
	return nil
}

func (n *network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (n *network) dial(t *testing.T) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _ = ours.Close() })
	select {
	case n.conns <- theirs:
	case <-n.closed:
		t.Fatal("the server does not listen")
	}
	return ours
}

// serve returns a server on listener that watches each exchange of handler. It
// fails the test if net/http logs anything.
func serve(t *testing.T, listener net.Listener, handler func(*slowclient.Exchange, *http.Request)) *httptest.Server {
	t.Helper()
	logged := &logged{}
	server := &httptest.Server{Listener: listener, EnableHTTP2: true, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x, r := slowclient.Watch(w, r, limit)
			defer x.End()
			handler(x, r)
		}),
		ErrorLog: log.New(logged, "", 0),
	}}
	t.Cleanup(func() {
		server.Close()
		if text := logged.String(); text != "" {
			t.Error(text)
		}
	})
	return server
}

type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const half = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"

// readAll is a handler that reads the body, and answers 408 if it does not come.
func readAll(t *testing.T, x *slowclient.Exchange, r *http.Request) bool {
	t.Helper()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) || !x.Stalled() {
			t.Errorf("reading the body: %v, stalled %t", err, x.Stalled())
		}
		http.Error(x, "too slow", http.StatusRequestTimeout)
		return false
	}
	return true
}

func TestBodyStops(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(*slowclient.Exchange, *http.Request){
		"read": func(x *slowclient.Exchange, r *http.Request) {
			if readAll(t, x, r) {
				t.Error("half of the body was treated as the whole")
			}
		},
		"not read": func(x *slowclient.Exchange, _ *http.Request) { http.Error(x, "not wanted", http.StatusNotFound) },
		"not read to its end": func(x *slowclient.Exchange, r *http.Request) {
			x.Duplex()
			var first [1]byte
			if _, err := r.Body.Read(first[:]); err != nil {
				t.Error(err)
			}
			http.Error(x, "not wanted", http.StatusNotFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				local := newNetwork()
				serve(t, local, handler).Start()
				conn := local.dial(t)
				if _, err := io.WriteString(conn, half); err != nil {
					t.Fatal(err)
				}
				answer, err := io.ReadAll(conn) // until the server closes it
				if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
					t.Errorf("got %q, %v, want 4xx", answer, err)
				}
			})
		})
	}
}

func TestResponseIsNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		local := newNetwork()
		serve(t, local, func(x *slowclient.Exchange, _ *http.Request) {
			var err error
			for err == nil {
				_, err = x.Write(make([]byte, 64<<10))
			}
			ended <- err
		}).Start()
		if _, err := io.WriteString(local.dial(t), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("writing: %v, want a timeout", err)
		}
	})
}

// An event stream may be silent for long, and so may a client that has sent everything.
func TestSilentResponse(t *testing.T) {
	t.Parallel()
	for protocol, begin := range map[string]func(*httptest.Server){"HTTP/1.1": (*httptest.Server).Start, "HTTP/2.0": (*httptest.Server).StartTLS} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				next := make(chan struct{})
				local := newNetwork()
				server := serve(t, local, func(x *slowclient.Exchange, r *http.Request) {
					if !readAll(t, x, r) {
						return
					}
					x.Duplex()
					for range 2 {
						_, _ = io.WriteString(x, "event\n")
						_ = x.FlushError()
						select {
						case <-next:
						case <-r.Context().Done():
							t.Error("the response was aborted")
							return
						}
					}
				})
				begin(server)
				client := server.Client()
				client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { //nolint:forcetypeassert // of net/http/httptest
					return local.dial(t), nil
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("all"))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close() //nolint:errcheck // only read
				events := bufio.NewReader(resp.Body)
				for range 2 {
					if event, err := events.ReadString('\n'); event != "event\n" {
						t.Fatalf("%q, %v", event, err)
					}
					<-time.After(2 * limit)
					next <- struct{}{}
				}
				if rest, err := io.ReadAll(events); len(rest) > 0 || err != nil || resp.Proto != protocol {
					t.Errorf("then %q, %v, by %s", rest, err, resp.Proto)
				}
			})
		})
	}
}

// recorder is a response that records the read deadlines.
type recorder struct {
	http.ResponseWriter
	deadlines chan time.Time
}

func (r recorder) SetReadDeadline(t time.Time) error {
	r.deadlines <- t
	return nil
}

// While the client reads the response, the rest of its request may be late.
func TestDuplex(t *testing.T) {
	t.Parallel()
	w := recorder{httptest.NewRecorder(), make(chan time.Time, 10)}
	body, rest := io.Pipe()
	x, r := slowclient.Watch(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body), time.Hour)
	x.Duplex()
	var reader sync.WaitGroup
	reader.Go(func() {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
	})
	first := <-w.deadlines // it waits for the client
	if _, err := io.WriteString(x, "answer"); err != nil {
		t.Fatal(err)
	}
	if again := <-w.deadlines; !again.After(first) {
		t.Errorf("a write moves the deadline from %v to %v", first, again)
	}
	if err := rest.Close(); err != nil {
		t.Fatal(err)
	}
	reader.Wait()
	if last := <-w.deadlines; !last.IsZero() {
		t.Errorf("after the body the deadline is %v", last)
	}
	x.End()
	if len(w.deadlines) > 0 {
		t.Errorf("at the end it is %v", <-w.deadlines)
	}
}

func TestSilentWebSocket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		local := newNetwork()
		serve(t, local, func(x *slowclient.Exchange, _ *http.Request) {
			conn, rw, err := http.NewResponseController(x).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close() //nolint:errcheck // everything was sent
			for range 2 {
				line, err := rw.ReadString('\n')
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := io.WriteString(conn, line); err != nil {
					t.Error(err)
				}
			}
		}).Start()
		conn := local.dial(t)
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		for range 2 {
			<-time.After(2 * limit)
			if _, err := io.WriteString(conn, "echo\n"); err != nil {
				t.Fatal(err)
			}
			if line, err := in.ReadString('\n'); line != "echo\n" {
				t.Fatalf("%q, %v", line, err)
			}
		}
	})
}

// After an unread body the connection is reusable, or is closed properly.
func TestUnreadBody(t *testing.T) {
	t.Parallel()
	for name, duplex := range map[string]bool{"response after the body": false, "response before its end": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var config net.ListenConfig
			listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			serve(t, listener, func(x *slowclient.Exchange, _ *http.Request) {
				if duplex {
					x.Duplex()
				}
				http.Error(x, "not wanted", http.StatusNotFound)
			}).Start()
			var conn net.Conn
			var in *bufio.Reader
			for i := range 50 {
				body := strings.Repeat("a", 1+i*i*20)
				if conn == nil {
					dialed, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = dialed.Close() })
					conn = dialed
					in = bufio.NewReader(conn)
				}
				if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
					t.Fatal(err)
				}
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.Close != duplex {
					t.Fatalf("request %d: closed %t, %v", i, resp.Close, err)
				}
				if err := resp.Body.Close(); err != nil {
					t.Fatal(err)
				}
				if resp.Close {
					conn = nil
				}
			}
		})
	}
}

// A client that waits for 100 Continue receives one, even if the handler sends it too.
func TestContinueOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		local := newNetwork()
		serve(t, local, func(x *slowclient.Exchange, r *http.Request) {
			if readAll(t, x, r) {
				x.WriteHeader(http.StatusContinue)
				x.WriteHeader(http.StatusNoContent)
			}
		}).Start()
		conn := local.dial(t)
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || strings.Count(string(answer), "100 Continue") != 1 || !strings.Contains(string(answer), " 204 ") {
			t.Errorf("got %q, %v", answer, err)
		}
	})
}
