package router_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/router"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// fixture is a Router with one app, me/app at app.example, whose drones are at the
// given addresses and are used in turn.
type fixture struct {
	t        *testing.T
	url      string
	mu       sync.Mutex
	addrs    []string
	picked   int
	sticky   bool // the drone depends on the length of the client's id
	inFlight atomic.Int64
	requests sync.WaitGroup
}

func setup(t *testing.T, addrs ...string) *fixture {
	t.Helper()
	return with(t, router.Options{}, addrs...)
}

func with(t *testing.T, o router.Options, addrs ...string) *fixture {
	t.Helper()
	f := &fixture{t: t, addrs: addrs}
	o.Lookup = func(host string) (string, string, bool) { return "me", "app", host == "app.example" }
	o.Pick = func(user, app, client string) (runner.Target, bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if user+"/"+app != "me/app" || len(f.addrs) == 0 {
			return runner.Target{}, false
		}
		f.picked++
		f.inFlight.Add(1)
		f.requests.Add(1)
		t := runner.Target{Addr: f.addrs[f.picked%len(f.addrs)], Sticky: f.sticky, Done: func() {
			f.inFlight.Add(-1)
			f.requests.Done()
		}}
		if f.sticky && client != "" {
			t.Addr = f.addrs[len(client)%len(f.addrs)]
		}
		return t, true
	}
	r := router.New(o)
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.Close()
		r.Close()
		f.requests.Wait() // hangs if a request is never done, panics if twice
	})
	f.url = server.URL
	return f
}

// drone starts a server that acts as a drone and returns its address.
func drone(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// closed returns an address that refuses connections: that of a client, on which no
// other program can listen.
func closed(t *testing.T) string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", drone(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.LocalAddr().String()
}

func (f *fixture) request(method, host, path string, body io.Reader) *http.Request {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, body)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Host = host
	return req
}

// dial returns a connection to the router.
func (f *fixture) dial() net.Conn {
	f.t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(f.t.Context(), "tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (f *fixture) do(req *http.Request) (*http.Response, string) {
	f.t.Helper()
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp, string(text)
}

func TestHosts(t *testing.T) {
	t.Parallel()
	f := setup(t, drone(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "app") }))
	for host, want := range map[string]int{
		"app.example": 200, "APP.Example": 200, "app.example:8080": 200, "app.example.": 200, "app.example.:80": 200,
		"other.example": 404, "example": 404, "app.example.evil": 404, "[::1]:80": 404, "127.0.0.1": 404,
	} {
		resp, text := f.do(f.request(http.MethodGet, host, "/", nil))
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", host, resp.StatusCode, want)
		}
		if want == 404 && !strings.Contains(text, "no app at this address") {
			t.Errorf("%s: %q", host, text)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	var got *http.Request
	f := setup(t, drone(t, func(w http.ResponseWriter, req *http.Request) {
		got = req.Clone(context.WithoutCancel(req.Context()))
		w.Header().Set("Location", "http://elsewhere/")
		w.WriteHeader(http.StatusFound)
	}))
	req := f.request(http.MethodGet, "App.Example:8080", "/a%2Fb?x=1;y=%zz", nil)
	req.Header.Set("X-Forwarded-For", "6.6.6.6")
	req.Header.Set("X-Forwarded-Host", "evil")
	req.Header.Set("X-Forwarded-Proto", "https")
	req.Header.Set("X-Forwarded-Port", "6666")
	req.Header.Set("X-Real-IP", "6.6.6.6")
	req.Header.Set("X-Request-Id", "evil")
	req.Header.Set("Forwarded", "for=6.6.6.6")
	req.Header.Set("Authorization", "Basic eDp5")
	req.Header.Set("User-Agent", "")
	resp, _ := f.do(req)
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "http://elsewhere/" {
		t.Errorf("the response was modified: %d %v", resp.StatusCode, resp.Header)
	}
	if got.Host != "App.Example:8080" || got.RequestURI != "/a%2Fb?x=1;y=%zz" {
		t.Errorf("the drone received %s %s", got.Host, got.RequestURI)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "App.Example:8080", "X-Forwarded-Proto": "http",
		"X-Forwarded-Port": "8080", "X-Real-Ip": "127.0.0.1", "Forwarded": `for=127.0.0.1;host="App.Example:8080";proto=http`, "Authorization": "Basic eDp5", "User-Agent": "", "Accept-Encoding": "",
	} {
		if value := strings.Join(got.Header.Values(name), ","); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
}

// Each request has its own id; the client's is ignored.
func TestRequestID(t *testing.T) {
	t.Parallel()
	f := setup(t, drone(t, func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.WriteString(w, strings.Join(req.Header.Values("X-Request-Id"), ","))
	}))
	seen := map[string]bool{}
	for range 3 {
		req := f.request(http.MethodGet, "app.example", "/", nil)
		req.Header.Set("X-Request-Id", "evil")
		_, id := f.do(req)
		if len(id) != 32 || seen[id] {
			t.Errorf("got id %q after %v, want a new one of 32 digits", id, seen)
		}
		seen[id] = true
	}
}

func TestNotRunning(t *testing.T) {
	t.Parallel()
	for name, addrs := range map[string][]string{"no drone": nil, "refused": {closed(t)}} {
		f := setup(t, addrs...)
		resp, text := f.do(f.request(http.MethodGet, "app.example", "/", nil))
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(text, "not running") {
			t.Errorf("%s: %d %v %q", name, resp.StatusCode, resp.Header, text)
		}
	}
}

func TestRefusedConnectionIsRetried(t *testing.T) {
	t.Parallel()
	f := setup(t, closed(t), drone(t, func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(w, req.Body)
	}))
	for i := range 4 {
		want := strings.Repeat("body", i*100_000)
		resp, text := f.do(f.request(http.MethodPost, "app.example", "/", strings.NewReader(want)))
		if resp.StatusCode != 200 || text != want {
			t.Errorf("request %d: status %d, %d bytes", i, resp.StatusCode, len(text))
		}
	}
	if f.picked <= 4 {
		t.Errorf("%d drones were picked for 4 requests, want more", f.picked)
	}
}

func TestAbortedResponseIsNotRetried(t *testing.T) {
	t.Parallel()
	var seen atomic.Int64
	f := setup(t, drone(t, func(http.ResponseWriter, *http.Request) {
		seen.Add(1)
		panic(http.ErrAbortHandler)
	}))
	resp, _ := f.do(f.request(http.MethodPost, "app.example", "/", strings.NewReader("once")))
	if resp.StatusCode != http.StatusBadGateway || seen.Load() != 1 {
		t.Errorf("status %d after %d tries, want 502 after 1", resp.StatusCode, seen.Load())
	}
}

// The drone closes each connection after its response, without announcing it, as
// Node.js does with a connection that was idle for 5 seconds.
func TestDroneThatClosesIdleConnections(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	f := setup(t, l.Addr().String())
	for i := range 200 {
		method, body := http.MethodGet, ""
		if i%2 == 1 {
			method, body = http.MethodPost, "body"
		}
		if resp, text := f.do(f.request(method, "app.example", "/", strings.NewReader(body))); resp.StatusCode != 200 || text != "ok" {
			t.Fatalf("request %d, %s: %d %q", i, method, resp.StatusCode, text)
		}
	}
}

func TestStreaming(t *testing.T) {
	t.Parallel()
	// Each line is written only after the client has received the previous one.
	next := make(chan struct{})
	f := setup(t, drone(t, func(w http.ResponseWriter, _ *http.Request) {
		flush := http.NewResponseController(w)
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "%d\n", i)
			_ = flush.Flush()
			<-next
		}
	}))
	resp, err := http.DefaultClient.Do(f.request(http.MethodGet, "app.example", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for i := range 3 {
		if !lines.Scan() || lines.Text() != fmt.Sprint(i) {
			t.Fatalf("line %d: %q, %v", i, lines.Text(), lines.Err())
		}
		if got := f.inFlight.Load(); got != 1 {
			t.Errorf("%d requests in flight during the response, want 1", got)
		}
		next <- struct{}{}
	}
	if lines.Scan() {
		t.Errorf("unexpected line %q", lines.Text())
	}
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	f := setup(t, drone(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Upgrade") != "websocket" || req.Header.Get("Connection") != "Upgrade" {
			http.Error(w, "no upgrade", http.StatusBadRequest)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(conn, rw)
	}))
	conn := f.dial()
	_, err := io.WriteString(conn, "GET /chat HTTP/1.1\r\nHost: app.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil) //nolint:bodyclose // a 101 has no body
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("%v, %v", resp, err)
	}
	for _, frame := range []string{"\x81\x05hello", "\x82\x03\x00\xff\x01"} {
		if _, err := io.WriteString(conn, frame); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(frame))
		if _, err := io.ReadFull(in, got); err != nil || string(got) != frame {
			t.Fatalf("sent %q, received %q, %v", frame, got, err)
		}
	}
	if got := f.inFlight.Load(); got != 1 {
		t.Errorf("%d requests in flight while the WebSocket is open, want 1", got)
	}
}
