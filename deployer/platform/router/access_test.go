package router_test

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/router"
)

// lines has each line that is written to it.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// Each request is one line, without what follows the question mark.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	written := make(lines, 10)
	id := make(chan string, 10)
	f := with(t, router.Options{Access: slog.New(slog.NewJSONHandler(written, nil))}, drone(t, func(w http.ResponseWriter, req *http.Request) {
		id <- req.Header.Get("X-Request-Id")
		switch req.URL.Path {
		case "/upgrade":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
			_ = conn.Close()
		case "/broken":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		default:
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "hello")
		}
	}))
	type line struct {
		Msg, User, App, Host, Method, Path string
		Status, Bytes                      int
		ClientIP                           string  `json:"client_ip"`
		RequestID                          string  `json:"request_id"`
		Duration                           float64 `json:"duration_ms"`
		Aborted                            bool
	}
	next := func() (l line) {
		t.Helper()
		select {
		case text := <-written:
			if strings.Contains(text, "hunter2") {
				t.Errorf("the line has the query: %s", text)
			}
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatal(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("no line")
		}
		if l.Duration < 0 || l.Msg != "app request" || l.ClientIP != "127.0.0.1" || len(l.RequestID) != 32 {
			t.Errorf("got %+v", l)
		}
		l.Duration, l.Msg, l.ClientIP = 0, "", ""
		return l
	}
	f.do(f.request(http.MethodPost, "app.example:80", "/a%20b?token=hunter2", strings.NewReader("x")))
	if got, want := next(), (line{User: "me", App: "app", Host: "app.example", Method: "POST", Path: "/a%20b", Status: 418, Bytes: 5, RequestID: <-id}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	f.do(f.request(http.MethodGet, "other.example", "/", nil))
	if got := next(); got.App != "" || got.Host != "other.example" || got.Status != http.StatusNotFound || got.Bytes == 0 {
		t.Errorf("no such app: got %+v", got)
	}

	upgrade := func(path, more string) net.Conn {
		conn := f.dial()
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: app.example\r\n"+more+"\r\n"); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	conn := upgrade("/upgrade", "Upgrade: x\r\nConnection: Upgrade\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("got %v, %v", resp, err)
	}
	_ = conn.Close()
	if got := next(); got.Status != http.StatusSwitchingProtocols || got.RequestID != <-id || got.Aborted {
		t.Errorf("an upgrade: got %+v", got)
	}
	_, _ = io.Copy(io.Discard, upgrade("/broken", ""))
	if got := next(); got.Status != http.StatusOK || !got.Aborted || got.Bytes != 4 {
		t.Errorf("a response that ends early: got %+v", got)
	}
}
