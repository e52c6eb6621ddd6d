package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
)

// pathLive is the path at which the published client follows a log.
const pathLive = "/primus/"

const (
	lookEvery  = time.Second      // interval of looking for new lines
	pingEvery  = 30 * time.Second // so that both sides notice a lost connection
	maxMessage = 4 << 10          // bytes of a client's message
)

// liveLogs sends the log lines of an app as they are written, one per message, in
// the protocol of Primus 1.4, which the published client speaks: JSON texts and
// its own heartbeat.
func (a *API) liveLogs(c *call) error {
	user, app, _ := strings.Cut(strings.TrimPrefix(c.r.URL.Query().Get("subscribe"), "logs/"), "/")
	if !core.ValidName(user) || !core.ValidName(app) {
		return core.Errorf(core.CodePlatformInvalid, "Subscribe to logs/USER/APP")
	}
	if !c.who.May(user) {
		return core.NewError(core.CodePlatformForbidden, "", nil)
	}
	begin := time.Now()
	if _, err := a.o.Apps.Logs(user, app, begin, time.Time{}, 1); err != nil {
		return err
	}
	conn, err := c.upgrade()
	if err != nil {
		return err
	}
	defer conn.CloseNow() //nolint:errcheck // it may be closed already
	ctx, cancel := context.WithCancel(c.ctx())
	defer cancel()
	end := make(chan error, 3)
	var running sync.WaitGroup
	for _, part := range []func() error{
		func() error { return answerPings(ctx, conn) },
		func() error { return ping(ctx, conn) },
		func() error { return a.follow(ctx, conn, user, app, begin) },
	} {
		running.Go(func() { end <- part() })
	}
	err = <-end // the first to end ends all
	cancel()
	running.Wait()
	a.o.Logger.DebugContext(c.ctx(), "platform log followed", "duration_ms", time.Since(begin).Milliseconds(), "end", err)
	return nil // the connection was the response
}

// upgrade upgrades the connection of a call to a WebSocket.
func (c *call) upgrade() (*websocket.Conn, error) {
	if !ownOrigin(c.r) {
		return nil, core.Errorf(core.CodePlatformForbidden, "Cross-origin requests may not follow a log")
	}
	conn, err := websocket.Accept(&upgrader{ResponseWriter: c.w}, c.r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // the origin was verified above
	if err != nil {
		c.w.Header().Del("Connection")
		c.w.Header().Del("Upgrade")
		return nil, core.NewError(core.CodePlatformInvalid, "This path requires a WebSocket", err)
	}
	conn.SetReadLimit(maxMessage)
	return conn, nil
}

// ownOrigin reports whether a request has no origin or ours: a browser sends its
// stored credentials with requests of any site. The published client sends only
// the host.
func ownOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	_, host, ok := strings.Cut(origin, "://")
	if !ok {
		host = origin
	}
	return host == "" || strings.EqualFold(host, r.Host)
}

// upgrader drops the library's error responses, as the API's errors are JSON.
type upgrader struct {
	http.ResponseWriter
	refused bool
}

// WriteHeader begins the response unless it is an error.
func (u *upgrader) WriteHeader(status int) {
	if u.refused = status != http.StatusSwitchingProtocols; !u.refused {
		u.ResponseWriter.WriteHeader(status)
	}
}

// Write drops the text of an error response.
func (u *upgrader) Write(p []byte) (int, error) {
	if u.refused {
		return len(p), nil
	}
	return u.ResponseWriter.Write(p)
}

// Unwrap lets the library hijack the connection.
func (u *upgrader) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// answerPings answers Primus heartbeats until the connection ends.
func answerPings(ctx context.Context, conn *websocket.Conn) error {
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		since, ok := strings.CutPrefix(string(text), `"primus::ping::`)
		if ok {
			err = send(ctx, conn, []byte(`"primus::pong::`+since))
		}
		if err != nil {
			return err
		}
	}
}

// ping pings the client periodically, and fails if it does not answer.
func ping(ctx context.Context, conn *websocket.Conn) error {
	every := time.NewTicker(pingEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		limited, cancel := context.WithTimeout(ctx, stall)
		err := conn.Ping(limited)
		cancel()
		if err != nil {
			return err
		}
	}
}

// send sends a text, with a deadline.
func send(ctx context.Context, conn *websocket.Conn, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, text)
}

// follow sends the log lines of an app, beginning at from, until ctx or the
// connection ends.
func (a *API) follow(ctx context.Context, conn *websocket.Conn, user, app string, from time.Time) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	sent := 0 // number of lines sent that were written at from
	for {
		lines, err := a.o.Apps.Logs(user, app, from, time.Time{}, maxRows)
		if err != nil {
			return err
		}
		slices.Reverse(lines) // the oldest first
		for _, l := range lines[min(sent, len(lines)):] {
			text, err := json.Marshal(newLogLine(l))
			if err != nil {
				return err
			}
			if err := send(ctx, conn, text); err != nil {
				return err
			}
		}
		if len(lines) > 0 {
			from = lines[len(lines)-1].Time
			at := slices.IndexFunc(lines, func(l apps.Line) bool { return !l.Time.Before(from) })
			sent = len(lines) - at
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
