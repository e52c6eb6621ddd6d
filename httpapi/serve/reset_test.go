package serve_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// http2Client is a client that sends frames as the test says.
type http2Client struct {
	t *testing.T
	*http2.Framer
	conn    *tls.Conn
	headers []byte // of a request
	stream  uint32
}

func newHTTP2Client(t *testing.T, s *serve.Server) *http2Client {
	t.Helper()
	conn := tls.Client(dial(t, s), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec // a test
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	var headers bytes.Buffer
	encoder := hpack.NewEncoder(&headers)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/"}} {
		if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
			t.Fatal(err)
		}
	}
	c := &http2Client{t: t, Framer: http2.NewFramer(conn, conn), conn: conn, headers: headers.Bytes(), stream: 1}
	if err := c.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

// requestAndReset opens a stream and resets it.
func (c *http2Client) requestAndReset() error {
	err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: c.headers, EndHeaders: true, EndStream: true})
	if err == nil {
		err = c.WriteRSTStream(c.stream, http2.ErrCodeCancel)
	}
	c.stream += 2
	return err
}

// A client that opens streams only to reset them loses its connection, and is
// one line in the log.
func TestRapidReset(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 100)
	ended := make(chan struct{}, 10)
	var started atomic.Int64
	s := start(t, serve.Options{TLS: certificates(t), Logger: slog.New(slog.NewTextHandler(writer(func(p []byte) {
		lines <- string(p)
	}), nil))}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		started.Add(1)
		<-r.Context().Done()
		ended <- struct{}{}
	}))
	c := newHTTP2Client(t, s)
	go func() {
		// One request at a time, until the connection is closed: net/http has a limit
		// of its own for requests that have not ended yet.
		for c.requestAndReset() == nil {
			<-ended
		}
	}()
	for {
		if _, err := c.ReadFrame(); err != nil {
			break
		}
	}
	if line := <-lines; !strings.Contains(line, "too many HTTP/2 streams reset") || !strings.Contains(line, "127.0.0.1") {
		t.Errorf("the log has %s", line)
	}
	if n := started.Load(); n > 1000 {
		t.Errorf("%d requests were started", n)
	}
}

// A client that cancels some of its requests keeps its connection.
func TestSomeResets(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	s := start(t, serve.Options{TLS: certificates(t)}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			ok(w, r)
			return
		}
		begun <- struct{}{}
		<-r.Context().Done()
	}))
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} //nolint:gosec // a test
	defer transport.CloseIdleConnections()
	request := func(ctx context.Context, path string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.Addr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return (&http.Client{Transport: transport}).Do(req)
	}
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-begun
			cancel()
		}()
		if resp, err := request(ctx, "/wait"); err == nil {
			_ = resp.Body.Close()
			t.Error("a request that never ends was answered")
		}
	}
	reused := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
	resp, err := request(ctx, "/")
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.ProtoMajor != 2 || !reused {
		t.Errorf("by %s, on the same connection: %t, %v", resp.Proto, reused, err)
	}
}
