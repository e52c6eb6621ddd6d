package outage_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/outage"
)

// lines collects a log, a line as "LEVEL message host failures".
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	values := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		values[a.Key] = a.Value.String()
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf("%s %s: %s %s", r.Level, r.Message, values["host"], values["failures"]))
	return nil
}

type answers func() (*http.Response, error)

func (a answers) RoundTrip(*http.Request) (*http.Response, error) { return a() }

func TestAnOutageIsAFewLines(t *testing.T) {
	t.Parallel()
	var log lines
	now := time.Unix(1e9, 0)
	status, failure := 200, error(nil)
	transport := &outage.Transport{
		Log: outage.New(slog.New(&log), func() time.Time { return now }),
		Next: answers(func() (*http.Response, error) {
			if failure != nil {
				return nil, failure
			}
			return &http.Response{StatusCode: status, Body: http.NoBody}, nil
		}),
	}
	ask := func(host string, times int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/x", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for range times {
			resp, err := transport.RoundTrip(req)
			if !errors.Is(err, failure) {
				t.Fatal(err)
			}
			if err == nil {
				_ = resp.Body.Close()
			}
		}
	}
	expect := func(when string, want ...string) {
		t.Helper()
		if !slices.Equal(log.all, want) {
			t.Errorf("%s: the log is\n%s\nwant\n%s", when, strings.Join(log.all, "\n"), strings.Join(want, "\n"))
		}
		log.all = nil
	}
	ask("a", 3)
	failure = context.Canceled
	ask("a", 3)
	expect("while all is well")

	failure = errors.New("connection refused")
	ask("a", 100)
	expect("at the begin", "WARN host unavailable: a 1")
	ask("b", 1)
	expect("of another host", "WARN host unavailable: b 1")
	now = now.Add(time.Minute)
	failure, status = nil, 502
	ask("a", 100)
	expect("a minute later", "WARN host still unavailable: a 101")
	status = 404
	ask("a", 10)
	expect("at the end", "INFO host available again: a 200")

	for range 50 {
		status = 503
		ask("a", 1)
		status = 200
		ask("a", 1)
	}
	expect("if every second request fails")
	now = now.Add(time.Minute)
	status = 503
	ask("a", 1)
	expect("at the next one", "WARN host unavailable: a 1")
}
