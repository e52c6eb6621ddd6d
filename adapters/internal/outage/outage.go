// Package outage logs outages of other hosts: one line when an outage begins, one a
// minute while it lasts, and one when it ends, however many requests fail.
package outage

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// between is the minimum time between two lines about one host, except the one at
// the end of an outage.
const between = time.Minute

// Log logs the outages of hosts. It may be used concurrently.
type Log struct {
	logger *slog.Logger
	now    func() time.Time

	mu    sync.Mutex
	hosts map[string]*state
}

// state is the state of a host.
type state struct {
	since    time.Time // of the first failure in a row; zero: the last request succeeded
	failures int       // in a row
	logged   bool      // whether the first was logged
	line     time.Time // of the last line
}

// New returns a Log that writes to logger.
func New(logger *slog.Logger, now func() time.Time) *Log {
	return &Log{logger: logger, now: now, hosts: map[string]*state{}}
}

// Failed records that a request to host failed.
func (l *Log) Failed(ctx context.Context, host string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	s := l.hosts[host]
	if s == nil {
		s = &state{}
		l.hosts[host] = s
	}
	if s.failures++; s.failures == 1 {
		s.since = now
	}
	if !s.line.IsZero() && now.Sub(s.line) < between {
		return
	}
	message := "host unavailable"
	if s.logged {
		message = "host still unavailable"
	}
	s.logged, s.line = true, now
	l.logger.WarnContext(ctx, message, "host", host, "failures", s.failures, "since", s.since, "error", err)
}

// Succeeded records that host answered a request.
func (l *Log) Succeeded(ctx context.Context, host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.hosts[host]
	if s == nil || s.failures == 0 {
		return
	}
	if s.logged {
		s.line = l.now()
		l.logger.InfoContext(ctx, "host available again", "host", host, "failures", s.failures, "since", s.since)
	}
	s.logged, s.failures = false, 0
}

// Transport is an [http.RoundTripper] that reports each request to a Log. A request
// has failed if there is no response, or one of status 500 or above. Cancelled
// requests are ignored.
type Transport struct {
	Next http.RoundTripper
	Log  *Log
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.Next.RoundTrip(req)
	switch ctx, host := req.Context(), req.URL.Host; {
	case errors.Is(err, context.Canceled):
	case err != nil:
		t.Log.Failed(ctx, host, err)
	case resp.StatusCode >= http.StatusInternalServerError:
		t.Log.Failed(ctx, host, errors.New(http.StatusText(resp.StatusCode)))
	default:
		t.Log.Succeeded(ctx, host)
	}
	return resp, err
}
