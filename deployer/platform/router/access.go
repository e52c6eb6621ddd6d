package router

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// maxLoggedPath is how much of a path is logged, in bytes.
const maxLoggedPath = 2048

// access is what the access log says of a request, which it follows as the writer of
// the response.
type access struct {
	http.ResponseWriter

	log    *slog.Logger
	began  time.Time
	status int // 0 until the response begins
	bytes  int64
	ended  bool // the proxy has returned
}

// WriteHeader records the status of the response.
func (a *access) WriteHeader(status int) {
	if a.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes of the body.
func (a *access) Write(p []byte) (int, error) {
	a.status = max(a.status, http.StatusOK)
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// ReadFrom counts the bytes of the body.
func (a *access) ReadFrom(r io.Reader) (int64, error) {
	a.status = max(a.status, http.StatusOK)
	n, err := io.Copy(a.ResponseWriter, r) // which may have a ReadFrom of its own
	a.bytes += n
	return n, err
}

// Hijack records that the connection became a WebSocket or the like.
func (a *access) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil {
		a.status = http.StatusSwitchingProtocols
	}
	return conn, buffer, err
}

// Unwrap implements the method that http.ResponseController uses.
func (a *access) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// write writes the line about the request. It has neither the query string nor
// headers, which may have secrets.
func (a *access) write(r *Router, req *http.Request, state *request) {
	path := req.URL.EscapedPath()
	attributes := []slog.Attr{
		slog.String("host", hostname(req.Host)),
		slog.String("method", req.Method),
		slog.String("path", path[:min(len(path), maxLoggedPath)]),
		slog.Int("status", a.status),
		slog.Int64("bytes", a.bytes),
		slog.Float64("duration_ms", float64(time.Since(a.began).Microseconds())/1000),
		slog.String("client_ip", r.o.Proxies.Client(req).Addr.String()),
		slog.String("request_id", state.id),
	}
	if state.known {
		attributes = append([]slog.Attr{slog.String("user", state.user), slog.String("app", state.app)}, attributes...)
	}
	if !a.ended {
		attributes = append(attributes, slog.Bool("aborted", true))
	}
	a.log.LogAttrs(req.Context(), slog.LevelInfo, "app request", attributes...)
}
