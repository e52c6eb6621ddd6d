package stall_test

import (
	"bufio"
	"bytes"
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
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/stall"
)

const limit = 300 * time.Millisecond

// serve returns a server that watches each exchange of handler. It fails the
// test where net/http complains.
func serve(t *testing.T, handler func(*stall.Exchange, *http.Request)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, r := stall.Watch(w, r, limit)
		defer x.End()
		handler(x, r)
	}))
	complaints := &complaints{}
	server.Config.ErrorLog = log.New(complaints, "", 0)
	server.EnableHTTP2 = true
	t.Cleanup(func() {
		server.Close()
		if said := complaints.said(); said != "" {
			t.Error(said)
		}
	})
	return server
}

type complaints struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *complaints) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *complaints) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

func dial(t *testing.T, server *httptest.Server) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

const half = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"

// outlast waits until the server has cut somebody off: whoever else was silent
// meanwhile was so for longer than the limit.
func outlast(t *testing.T, server *httptest.Server) {
	t.Helper()
	conn := dial(t, server)
	if _, err := io.WriteString(conn, half); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatal(err)
	}
}

// readAll is a handler that says so where the body does not come.
func readAll(t *testing.T, x *stall.Exchange, r *http.Request) bool {
	t.Helper()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) || !x.Stalled() {
			t.Errorf("the body ends with %v, stalled %t", err, x.Stalled())
		}
		http.Error(x, "too slow", http.StatusRequestTimeout)
		return false
	}
	return true
}

func TestBodyThatStops(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(*stall.Exchange, *http.Request){
		"is waited for": func(x *stall.Exchange, r *http.Request) {
			if readAll(t, x, r) {
				t.Error("half of it was all")
			}
		},
		"nobody reads": func(x *stall.Exchange, _ *http.Request) { http.Error(x, "not wanted", http.StatusNotFound) },
		"nobody reads any more": func(x *stall.Exchange, r *http.Request) {
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
			server := serve(t, handler)
			server.Start()
			conn := dial(t, server)
			if _, err := io.WriteString(conn, half); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn) // until it is ended
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
				t.Errorf("answer %q, %v", answer, err)
			}
		})
	}
}

func TestAnswerThatIsNotTaken(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	server := serve(t, func(x *stall.Exchange, _ *http.Request) {
		var err error
		for err == nil {
			_, err = x.Write(make([]byte, 64<<10))
		}
		ended <- err
	})
	server.Start()
	conn := dial(t, server)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("writing ends with %v", err)
	}
}

// An event stream may say nothing for long, as may a client that has sent all.
func TestSilentAnswer(t *testing.T) {
	t.Parallel()
	for protocol, begin := range map[string]func(*httptest.Server){"HTTP/1.1": (*httptest.Server).Start, "HTTP/2.0": (*httptest.Server).StartTLS} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			next := make(chan struct{})
			server := serve(t, func(x *stall.Exchange, r *http.Request) {
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
						t.Error("the answer was given up")
						return
					}
				}
			})
			begin(server)
			clock := serve(t, func(x *stall.Exchange, r *http.Request) { readAll(t, x, r) })
			clock.Start()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("all"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close() //nolint:errcheck // only read
			events := bufio.NewReader(resp.Body)
			for range 2 {
				if event, err := events.ReadString('\n'); event != "event\n" {
					t.Fatalf("%q, %v", event, err)
				}
				outlast(t, clock)
				next <- struct{}{}
			}
			if rest, err := io.ReadAll(events); len(rest) > 0 || err != nil || resp.Proto != protocol {
				t.Errorf("then %q, %v, in %s", rest, err, resp.Proto)
			}
		})
	}
}

// recorder is an answer that remembers the deadlines of reading.
type recorder struct {
	http.ResponseWriter
	deadlines chan time.Time
}

func (r recorder) SetReadDeadline(t time.Time) error {
	r.deadlines <- t
	return nil
}

// While the client takes the answer, the rest of its request may be late.
func TestBothWays(t *testing.T) {
	t.Parallel()
	w := recorder{httptest.NewRecorder(), make(chan time.Time, 10)}
	body, rest := io.Pipe()
	x, r := stall.Watch(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body), time.Hour)
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
		t.Errorf("what was sent moves the deadline from %v to %v", first, again)
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

func TestWebSocketMayBeSilent(t *testing.T) {
	t.Parallel()
	server := serve(t, func(x *stall.Exchange, _ *http.Request) {
		conn, rw, err := http.NewResponseController(x).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close() //nolint:errcheck // it has said all
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
	})
	server.Start()
	clock := serve(t, func(x *stall.Exchange, r *http.Request) { readAll(t, x, r) })
	clock.Start()
	conn := dial(t, server)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for range 2 {
		outlast(t, clock)
		if _, err := io.WriteString(conn, "echo\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := in.ReadString('\n'); line != "echo\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

// A body that nobody read leaves the connection whole, or ends it in order.
func TestBodyThatIsLeft(t *testing.T) {
	t.Parallel()
	for name, duplex := range map[string]bool{"answer after the body": false, "answer before it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, func(x *stall.Exchange, _ *http.Request) {
				if duplex {
					x.Duplex()
				}
				http.Error(x, "not wanted", http.StatusNotFound)
			})
			server.Start()
			var conn net.Conn
			var in *bufio.Reader
			for i := range 50 {
				body := strings.Repeat("a", 1+i*i*20)
				if conn == nil {
					conn = dial(t, server)
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
