package metrics_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/nodejitsu/webhooks/adapters/metrics"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// readings are those of a server that works.
func readings() metrics.Readings {
	return metrics.Readings{
		Backlog: func(context.Context) (deploy.Backlog, error) {
			return deploy.Backlog{Ready: 3, Delayed: 2, Claimed: 1, Oldest: time.Now().Add(-time.Hour)}, nil
		},
		ClockBehind: func() time.Duration { return time.Hour },
		FeedReaders: func() int { return 7 },
		Drones: func() metrics.Drones {
			return metrics.Drones{Ready: 4, Wanted: 5, Apps: map[string]int{"started": 2, "crashed": 1}}
		},
	}
}

// used returns Metrics with something in each metric.
func used() *metrics.Metrics {
	m := metrics.New("v1.2.3")
	m.Delivery(core.ProviderGitHub, core.EventPush, "", 20*time.Millisecond)
	m.Delivery("", "", core.CodeBadCreds, time.Millisecond)
	m.Outcome(core.StatusOK, "", 3*time.Second)
	m.Outcome(core.StatusError, core.CodeStartApp, time.Minute)
	m.Step(core.StepUpload, core.StepOK, 2*time.Second)
	m.StoreCall("accept", time.Millisecond, nil)
	m.StoreCall("claim", time.Second, errors.New("away"))
	m.StoreCall("find", time.Millisecond, core.ErrNotFound)
	m.Request(http.MethodPost, "/1/deploy", http.StatusAccepted, time.Second)
	m.Request(http.MethodGet, "", http.StatusNotFound, time.Millisecond)
	return m
}

// page returns what a scrape gets.
func page(t *testing.T, m *metrics.Metrics, r metrics.Readings) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler(r).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.Code != http.StatusOK {
		t.Fatalf("got %d and %v: %s", answer.Code, err, body)
	}
	return string(body)
}

func want(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("no line %q in:\n%s", line, text)
		}
	}
}

// Names and help texts follow the conventions of Prometheus.
func TestConventions(t *testing.T) {
	t.Parallel()
	problems, err := testutil.GatherAndLint(used().Gatherer(t.Context(), readings()))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	want(t, page(t, used(), readings()),
		`webhooks_deliveries_total{code="ok",event="push",provider="github"} 1`,
		`webhooks_deliveries_total{code="`+string(core.CodeBadCreds)+`",event="unknown",provider="unknown"} 1`,
		`webhooks_delivery_duration_seconds_count{code="ok"} 1`,
		`webhooks_outcomes_total{code="ok",status="ok"} 1`,
		`webhooks_outcomes_total{code="`+string(core.CodeStartApp)+`",status="error"} 1`,
		`webhooks_outcome_duration_seconds_sum{status="error"} 60`,
		`webhooks_step_duration_seconds_sum{state="ok",step="upload"} 2`,
		`webhooks_store_call_duration_seconds_count{call="claim"} 1`,
		`webhooks_store_call_errors_total{call="claim"} 1`,
		`webhooks_store_call_errors_total{call="find"} 0`,
		`webhooks_http_requests_total{method="POST",route="/1/deploy",status="202"} 1`,
		`webhooks_http_requests_total{method="GET",route="other",status="404"} 1`,
		`webhooks_queue_entries{state="ready"} 3`,
		`webhooks_queue_entries{state="delayed"} 2`,
		`webhooks_queue_entries{state="claimed"} 1`,
		`webhooks_clock_behind_seconds 3600`,
		`webhooks_feed_readers 7`,
		`webhooks_drones_ready 4`,
		`webhooks_drones_wanted 5`,
		`webhooks_apps{state="crashed"} 1`,
	)
}

// No sender and no other server can add series without bound.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := metrics.New("v1")
	for range 3 {
		m.Delivery("made up", core.EventPush, "made:up", time.Millisecond)
		m.Outcome(core.StatusError, "made:up:too", time.Second)
	}
	want(t, page(t, m, metrics.Readings{}),
		`webhooks_deliveries_total{code="other",event="push",provider="other"} 3`,
		`webhooks_outcomes_total{code="other",status="error"} 3`,
	)
}

// A store that does not answer leaves out its numbers; the others are served.
func TestReadFails(t *testing.T) {
	t.Parallel()
	r := readings()
	r.Backlog = func(context.Context) (deploy.Backlog, error) { return deploy.Backlog{}, errors.New("away") }
	m := metrics.New("v1")
	_ = page(t, m, r)
	text := page(t, m, r)
	want(t, text, `webhooks_metrics_read_errors_total{metric="queue"} 2`, `webhooks_feed_readers 7`)
	if strings.Contains(text, "webhooks_queue_entries") {
		t.Errorf("got numbers of a queue that can't be read:\n%s", text)
	}
}

// What has become ready in the future, because the clock was set back, has no age.
func TestAge(t *testing.T) {
	t.Parallel()
	for name, oldest := range map[string]time.Time{"none": {}, "in the future": time.Now().Add(time.Hour)} {
		r := metrics.Readings{Backlog: func(context.Context) (deploy.Backlog, error) { return deploy.Backlog{Oldest: oldest}, nil }}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want(t, page(t, metrics.New("v1"), r), "webhooks_queue_oldest_age_seconds 0")
		})
	}
}
