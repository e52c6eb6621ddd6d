package traces_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/nodejitsu/webhooks/adapters/traces"
	"github.com/nodejitsu/webhooks/core"
)

// sent are spans as a collector gets them, by name, with their attributes.
type sent struct {
	mu       sync.Mutex
	spans    map[string]*tracepb.Span
	resource map[string]string
}

// collector is an OTLP receiver.
func collector(t *testing.T) (*sent, string) {
	t.Helper()
	s := &sent{spans: map[string]*tracepb.Span{}, resource: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var got tracepb.TracesData // encoded as a request is
		if err = errors.Join(err, proto.Unmarshal(body, &got)); err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Api-Key") != "a b" {
			t.Errorf("got %s %s %v, %v", r.Method, r.URL, r.Header, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, of := range got.GetResourceSpans() {
			for _, a := range of.GetResource().GetAttributes() {
				s.resource[a.GetKey()] = a.GetValue().GetStringValue()
			}
			for _, scope := range of.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					s.spans[span.GetName()] = span
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	return s, server.URL
}

// begin returns Traces of a process. They read the environment of the process.
func begin(t *testing.T, log io.Writer) *traces.Traces {
	t.Helper()
	tr, err := traces.New(t.Context(), os.Getenv, "v1.2.3", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// stop stops a process, which sends its spans.
func stop(t *testing.T, tr *traces.Traces) {
	t.Helper()
	if err := tr.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

const (
	entryID = "0123456789abcdef0123456789abcdef"
	sender  = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00" // asks not to be sampled
)

// play receives a delivery in one process and deploys it in another one.
func play(t *testing.T) (header http.Header) {
	t.Helper()
	at := time.Date(2026, 11, 28, 5, 0, 0, 0, time.UTC)
	e := core.Entry{
		ID: entryID, User: "dscape", Status: core.StatusPending, Provider: core.ProviderGitHub, Kind: core.EventPush,
		Repository: core.Repository{Owner: "dscape", Name: "hello"}, CreatedAt: at,
	}
	d := core.Delivery{Header: textproto.MIMEHeader{"Traceparent": {sender}}}
	one, other := begin(t, t.Output()), begin(t, t.Output())
	one.Received(t.Context(), e, d, false, at.Add(-5*time.Millisecond), at)
	stop(t, one)

	e.Attempts = 2
	ctx, ended := other.Attempt(t.Context(), e)
	header = http.Header{}
	traces.Inject(ctx, header)
	e.App, e.Status = "hello", core.StatusError
	e.Error = &core.EntryError{Code: core.CodeUploadTarball, Reason: "The build failed"}
	e.Steps = []core.Step{
		{Name: core.StepPackage, State: core.StepRetry, Attempt: 1, StartedAt: at},
		{Name: core.StepUpload, State: core.StepFailed, Attempt: 2, StartedAt: at.Add(time.Second), Millis: 2000, Detail: "npm failed"},
	}
	ended(e, nil)
	stop(t, other)
	return header
}

// The receipt and the attempt are one trace, whose id is the entry's; each step is a
// span of its attempt; and the trace that the sender names is only linked.
func TestTrace(t *testing.T) {
	got, url := collector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b")
	t.Setenv("OTEL_SERVICE_NAME", "hooks")
	header := play(t)

	if got.resource["service.name"] != "hooks" || got.resource["service.version"] != "v1.2.3" {
		t.Errorf("the resource: %v", got.resource)
	}
	receipt, attempt, step := got.spans["receive github push"], got.spans["deploy hello"], got.spans["upload"]
	if len(got.spans) != 3 || receipt == nil || attempt == nil || step == nil {
		t.Fatalf("got %v", got.spans)
	}
	for name, s := range got.spans {
		if hex.EncodeToString(s.GetTraceId()) != entryID {
			t.Errorf("%s is of the trace %x", name, s.GetTraceId())
		}
	}
	if receipt.GetKind() != tracepb.Span_SPAN_KIND_PRODUCER || len(receipt.GetParentSpanId()) > 0 || len(receipt.GetLinks()) != 1 ||
		!strings.Contains(sender, hex.EncodeToString(receipt.GetLinks()[0].GetTraceId())) ||
		receipt.GetStartTimeUnixNano() != 1795841999995000000 || receipt.GetEndTimeUnixNano() != 1795842000000000000 {
		t.Errorf("the receipt: %v", receipt)
	}
	if attempt.GetKind() != tracepb.Span_SPAN_KIND_CONSUMER || !bytes.Equal(attempt.GetParentSpanId(), receipt.GetSpanId()) || len(attempt.GetLinks()) != 1 ||
		!bytes.Equal(attempt.GetLinks()[0].GetSpanId(), receipt.GetSpanId()) || attempt.GetStatus().GetMessage() != "The build failed" {
		t.Errorf("the attempt: %v", attempt)
	}
	if !bytes.Equal(step.GetParentSpanId(), attempt.GetSpanId()) || step.GetStatus().GetMessage() != "npm failed" || step.GetEndTimeUnixNano() != 1795842003000000000 {
		t.Errorf("the step: %v", step)
	}
	if want := "00-" + entryID + "-" + hex.EncodeToString(attempt.GetSpanId()) + "-01"; header.Get("Traceparent") != want {
		t.Errorf("passed on %q, want %q", header.Get("Traceparent"), want)
	}
	want := map[string]string{"webhooks.app": "hello", "webhooks.status": "error", "vcs.repository.name": "dscape/hello", "error.type": string(core.CodeUploadTarball)}
	for _, a := range attempt.GetAttributes() {
		if want[a.GetKey()] == a.GetValue().GetStringValue() {
			delete(want, a.GetKey())
		}
	}
	if len(want) > 0 {
		t.Errorf("the attempt lacks %v", want)
	}
}

// A repeat is a span of the trace of the entry that it is answered with.
func TestRepeat(t *testing.T) {
	got, url := collector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b")
	e := core.Entry{ID: entryID, Provider: core.ProviderGitHub, Kind: core.EventPush}
	tr, at := begin(t, t.Output()), time.Now()
	tr.Received(t.Context(), e, core.Delivery{}, true, at, at)
	stop(t, tr)
	span := got.spans["receive github push"]
	if span == nil || hex.EncodeToString(span.GetTraceId()) != entryID || len(span.GetLinks()) != 1 ||
		!bytes.Equal(span.GetLinks()[0].GetSpanId(), span.GetParentSpanId()) || bytes.Equal(span.GetSpanId(), span.GetParentSpanId()) {
		t.Errorf("got %v", span)
	}
}

// What is sampled is the same for all spans of an entry, in all processes, whatever
// the sender wants.
func TestSampled(t *testing.T) {
	got, url := collector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0.000001")
	if header := play(t); len(got.spans) > 0 || !strings.HasSuffix(header.Get("Traceparent"), "-00") {
		t.Errorf("got %v; passed on %v", got.spans, header)
	}
}

// A collector that fails or hangs delays nothing, and is logged once.
func TestCollectorFails(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	var log bytes.Buffer
	tr := begin(t, &log)
	for range 10_000 { // more than wait
		tr.Received(t.Context(), core.Entry{ID: entryID}, core.Delivery{}, false, time.Now(), time.Now())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tr.Stop(ctx); err == nil {
		t.Error("it stopped although the collector hangs")
	}
}

// A collector that refuses is logged once, without the credentials that it repeats.
func TestCollectorRefuses(t *testing.T) {
	refusals := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusals++
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "no account has the key "+r.Header.Get("Api-Key")+" or "+r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", strings.Replace(server.URL, "//", "//collector:in-the-url@", 1))
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=the%20api%20key,authorization=Bearer%20the-token")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1") // so that there are two requests
	var log bytes.Buffer
	tr := begin(t, &log)
	for range 2 {
		tr.Received(t.Context(), core.Entry{ID: entryID}, core.Delivery{}, false, time.Now(), time.Now())
	}
	stop(t, tr)
	if got := log.String(); refusals != 2 || strings.Count(got, "traces not sent") != 1 || !strings.Contains(got, "no account has the key ***") {
		t.Errorf("after %d refusals the log is %s", refusals, got)
	}
	for _, credential := range []string{"the api key", "the-token", "in-the-url"} {
		if strings.Contains(log.String(), credential) {
			t.Errorf("the log has %q: %s", credential, log.String())
		}
	}
}

func TestEnabled(t *testing.T) {
	t.Parallel()
	const base, own, headers = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"
	for name, c := range map[string]struct {
		environment  map[string]string
		want, refuse bool
	}{
		"off":       {},
		"a base":    {environment: map[string]string{base: "http://localhost:4318"}, want: true},
		"a URL":     {environment: map[string]string{own: "https://y/z"}, want: true},
		"disabled":  {environment: map[string]string{base: "http://localhost:4318", "OTEL_SDK_DISABLED": "true"}},
		"no traces": {environment: map[string]string{base: "http://localhost:4318", "OTEL_TRACES_EXPORTER": "none"}},
		"gRPC":      {environment: map[string]string{base: "http://localhost:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, refuse: true},
		"headers":   {environment: map[string]string{base: "http://localhost:4318", headers: "api-key=hunter2,x-tenant = one,"}, want: true},
		"no host":   {environment: map[string]string{base: "localhost:4318"}, refuse: true},
		"no value":  {environment: map[string]string{base: "http://localhost:4318", headers: "hunter2"}, refuse: true},
		"no name":   {environment: map[string]string{base: "http://localhost:4318", headers: "a b=hunter2"}, refuse: true},
		"encoding":  {environment: map[string]string{base: "http://localhost:4318", headers: "api-key=hunter2%"}, refuse: true},
	} {
		got, err := traces.Enabled(func(name string) string { return c.environment[name] })
		if got != c.want || (err != nil) != c.refuse {
			t.Errorf("%s: got %t, %v", name, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error has the value: %v", name, err)
		}
	}
}
