package api_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// live follows the log of me/app.
func (b *fixture) live() *websocket.Conn {
	b.t.Helper()
	header := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(me))}}
	conn, resp, err := websocket.Dial(b.t.Context(), "ws"+strings.TrimPrefix(b.server.URL, "http")+"/primus/?subscribe=logs/me/app", &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // there is none
	if err != nil {
		b.t.Fatal(err)
	}
	if got := resp.Header.Get("X-Powered-By"); got != "Nodejitsu/webhooks" {
		b.t.Errorf("X-Powered-By is %q", got)
	}
	b.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// A client that follows a log sends heartbeats, which are answered.
func TestLiveLogsProtocol(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	conn := b.live()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, text := range []string{`"hello"`, "", `"primus::ping::5"`} {
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if _, text, err := conn.Read(ctx); err != nil || string(text) != `"primus::pong::5"` {
		t.Errorf("received %q, %v", text, err)
	}
	reading := conn.CloseRead(ctx)
	if err := conn.Ping(ctx); err != nil {
		t.Errorf("a ping: %v", err)
	}
	if err := conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("the end: %v", err)
	}
	<-reading.Done()
}

// Requests of another site, with which a browser sends stored credentials, are
// refused.
func TestLiveLogsOfAnotherSite(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	host := strings.TrimPrefix(b.server.URL, "http://")
	for origin, want := range map[string]int{
		"http://" + host: 101, host: 101, "https://evil.example": 403, "null": 403, "http://" + host + ".evil.example": 403,
	} {
		header := http.Header{"Origin": {origin}, "Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(me))}}
		conn, resp, err := websocket.Dial(t.Context(), "ws://"+host+"/primus/?subscribe=logs/me/app", &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // the library has read it
		if resp == nil || resp.StatusCode != want {
			t.Errorf("from %q: %v, %v, want %d", origin, resp, err, want)
		}
		if err == nil {
			_ = conn.CloseNow()
		}
	}
}

// A client that sends more than a heartbeat is disconnected.
func TestLiveLogsLimitMessages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	conn := b.live()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := conn.Write(ctx, websocket.MessageText, make([]byte, 5<<10)); err != nil {
		t.Fatal(err)
	}
	_, _, err := conn.Read(ctx)
	if closed, ok := errors.AsType[websocket.CloseError](err); !ok || closed.Code != websocket.StatusMessageTooBig {
		t.Errorf("received %v", err)
	}
}

func TestLiveLogsAccess(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	b.refused(400, "invalid", me, "GET /primus/?subscribe=logs/me/app", "")
	b.refused(400, "invalid", me, "GET /primus/?subscribe=logs/me/..", "")
	b.refused(403, "forbidden", you, "GET /primus/?subscribe=logs/me/app", "")
	b.refused(404, "not_found", me, "GET /primus/?subscribe=logs/me/none", "")
	b.refused(401, "unauthorized", "", "GET /primus/?subscribe=logs/me/app", "")
}
