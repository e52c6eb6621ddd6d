package traces_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/traces"
	"github.com/nodejitsu/webhooks/core"
)

// received is a request as a collector reads it.
type received struct {
	ResourceSpans []struct {
		Resource   struct{ Attributes []attribute }
		ScopeSpans []struct{ Spans []span }
	}
}

type attribute struct {
	Key   string
	Value struct{ StringValue string }
}

type span struct {
	TraceID      string `json:"traceId"`
	SpanID       string `json:"spanId"`
	ParentSpanID string `json:"parentSpanId"`
	Name         string
	Kind         int
	Start        string `json:"startTimeUnixNano"`
	End          string `json:"endTimeUnixNano"`
	Attributes   []attribute
	Links        []struct {
		TraceID string `json:"traceId"`
		SpanID  string `json:"spanId"`
	}
	Status struct {
		Code    int
		Message string
	}
}

// collector is an OTLP receiver. What it gets is in the channel.
func collector(t *testing.T) (url string, got chan received) {
	t.Helper()
	got = make(chan received, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body received
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/v1/traces" || r.Method != http.MethodPost ||
			r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Api-Key") != "a b" {
			t.Errorf("got %s %s %v, %v", r.Method, r.URL, r.Header, err)
		}
		got <- body
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func options(t *testing.T, environment map[string]string) (traces.Options, bool) {
	t.Helper()
	o, ok, err := traces.FromEnvironment(func(name string) string { return environment[name] })
	if err != nil {
		t.Fatal(err)
	}
	return o, ok
}

// The receipt and the work are one trace, whose id is the entry's; each step is a
// span of the work.
func TestTrace(t *testing.T) {
	t.Parallel()
	url, got := collector(t)
	o, ok := options(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url + "/", "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b", "OTEL_SERVICE_NAME": "hooks"})
	if !ok {
		t.Fatal("not configured")
	}
	exporter := traces.New(o)
	exporter.Start()
	at := time.Date(2026, 11, 28, 5, 0, 0, 0, time.UTC)
	e := core.Entry{
		ID: "0123456789abcdef0123456789abcdef", Revision: 1, User: "dscape", Status: core.StatusPending, Provider: core.ProviderGitHub, Kind: core.EventPush,
		Repository: core.Repository{Owner: "dscape", Name: "hello"}, CreatedAt: at,
	}
	exporter.Received(e, false, at.Add(-5*time.Millisecond), at)
	e.Revision, e.App, e.Status, e.FinishedAt = 5, "hello", core.StatusError, at.Add(3*time.Second)
	e.Error = &core.EntryError{Code: core.CodeUploadTarball, Reason: "The build failed"}
	e.Steps = []core.Step{
		{Name: core.StepPackage, State: core.StepOK, StartedAt: at, Millis: 20},
		{Name: core.StepUpload, State: core.StepFailed, StartedAt: at.Add(time.Second), Millis: 2000, Detail: "npm failed"},
	}
	exporter.Finished(e)
	exporter.Received(e, true, at.Add(time.Minute), at.Add(time.Minute))
	if err := exporter.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	body := <-got
	if len(got) > 0 || body.ResourceSpans[0].Resource.Attributes[0].Value.StringValue != "hooks" {
		t.Errorf("%d more requests, resource %+v", len(got), body.ResourceSpans[0].Resource)
	}
	spans := body.ResourceSpans[0].ScopeSpans[0].Spans
	if len(spans) != 5 {
		t.Fatalf("got %d spans, want 5", len(spans))
	}
	seen := map[string]bool{}
	for _, s := range spans {
		if s.TraceID != e.ID || !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(s.SpanID) || seen[s.SpanID] || s.Start > s.End {
			t.Errorf("got %+v", s)
		}
		seen[s.SpanID] = true
	}
	receipt, work, first, second, again := spans[0], spans[1], spans[2], spans[3], spans[4]
	if receipt.Name != "receive github push" || receipt.Kind != 4 || receipt.ParentSpanID != "" || receipt.Start != "1795841999995000000" || receipt.End != "1795842000000000000" {
		t.Errorf("the receipt: %+v", receipt)
	}
	if work.Name != "deploy hello" || work.Kind != 5 || work.ParentSpanID != receipt.SpanID || len(work.Links) != 1 || work.Links[0].SpanID != receipt.SpanID ||
		work.Status.Code != 2 || work.Status.Message != "The build failed" || work.End != "1795842003000000000" {
		t.Errorf("the work: %+v", work)
	}
	if first.Name != "package" || first.ParentSpanID != work.SpanID || first.Status.Code != 0 || second.Name != "upload" || second.Status.Code != 2 || second.End != "1795842003000000000" {
		t.Errorf("the steps: %+v, %+v", first, second)
	}
	if len(again.Links) != 1 || again.Links[0].SpanID != receipt.SpanID {
		t.Errorf("a repeat: %+v", again)
	}
	want := map[string]string{"webhooks.app": "hello", "webhooks.status": "error", "vcs.repository.name": "dscape/hello", "error.type": string(core.CodeUploadTarball)}
	for _, a := range work.Attributes {
		if value, ok := want[a.Key]; ok && value == a.Value.StringValue {
			delete(want, a.Key)
		}
	}
	if len(want) > 0 {
		t.Errorf("the work lacks %v", want)
	}
}

// A collector that fails or hangs delays nothing.
func TestCollectorFails(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	exporter := traces.New(traces.Options{URL: server.URL, Service: "webhooks"})
	exporter.Start()
	for range 10_000 { // more than wait
		exporter.Finished(core.Entry{ID: "0123456789abcdef0123456789abcdef"})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := exporter.Stop(ctx); err == nil {
		t.Error("it stopped although the collector hangs")
	}
}

func TestFromEnvironment(t *testing.T) {
	t.Parallel()
	const base, own = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	for name, c := range map[string]struct {
		environment map[string]string
		url         string // "": no traces
		fails       bool
	}{
		"off":              {},
		"a base":           {environment: map[string]string{base: "http://localhost:4318"}, url: "http://localhost:4318/v1/traces"},
		"a whole URL":      {environment: map[string]string{base: "http://x", own: "https://y/z"}, url: "https://y/z"},
		"disabled":         {environment: map[string]string{base: "http://localhost:4318", "OTEL_SDK_DISABLED": "true"}},
		"no traces":        {environment: map[string]string{base: "http://localhost:4318", "OTEL_TRACES_EXPORTER": "none"}},
		"gRPC":             {environment: map[string]string{base: "http://localhost:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, fails: true},
		"not a URL":        {environment: map[string]string{base: "localhost:4318"}, fails: true},
		"headers":          {environment: map[string]string{base: "http://x", "OTEL_EXPORTER_OTLP_HEADERS": "a=b, c=d%3D"}, url: "http://x/v1/traces"},
		"headers, wrong":   {environment: map[string]string{base: "http://x", "OTEL_EXPORTER_OTLP_HEADERS": "nothing"}, fails: true},
		"headers, in half": {environment: map[string]string{base: "http://x", "OTEL_EXPORTER_OTLP_HEADERS": "a=x%0d%0aB: y"}, fails: true},
	} {
		o, ok, err := traces.FromEnvironment(func(name string) string { return c.environment[name] })
		if o.URL != c.url && !c.fails || ok != (c.url != "") || (err != nil) != c.fails {
			t.Errorf("%s: got %q, %t, %v", name, o.URL, ok, err)
		}
		if name == "headers" && o.Headers["c"].Reveal() != "d=" {
			t.Errorf("%s: got %q", name, o.Headers["c"].Reveal())
		}
	}
}
