package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A deployment is a trace: of the receipt, which links to the sender's, and of the
// attempt, which the platform continues.
func TestTraces(t *testing.T) { //nolint:paralleltest // the server gets the environment of the test
	type span struct {
		Name, TraceID, SpanID, ParentSpanID string
		Links                               []struct{ TraceID, SpanID string }
	}
	var mu sync.Mutex
	spans := map[string]span{}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var got struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []span } }
		}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(bytes.ToLower(body), &got) // the case of ids is free
		}
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, of := range got.ResourceSpans {
			for _, scope := range of.ScopeSpans {
				for _, s := range scope.Spans {
					spans[s.Name] = s
				}
			}
		}
	}))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")

	h := github(t)
	behind := run(t, "platform", 2)
	behind.run(password+"\n", "users", "add", user, "--new-password-file", "-", "--data", behind.data)
	to, err := url.Parse(behind.platform)
	if err != nil {
		t.Fatal(err)
	}
	started := "" // the trace of the call that started the app
	proxy := httptest.NewServer(&httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		if strings.HasSuffix(r.In.URL.Path, "/start") {
			mu.Lock()
			defer mu.Unlock()
			started = r.In.Header.Get("Traceparent")
		}
	}})
	t.Cleanup(proxy.Close)
	s := run(t, "serve", 1, h.flags("--platform-url", proxy.URL, "--platform-key-file", filepath.Join(behind.data, "platform", "platform.key"))...)
	repo := h.repository("traced")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("traced"), "index.js": node("first")})
	parent := map[string]string{"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	id, _ := s.send(repo.delivery(t, commit, "a", parent)).change(t, 200, "ok")["id"].(string)
	s.stop() // which sends what is waiting

	mu.Lock()
	defer mu.Unlock()
	trace := id[strings.LastIndexByte(id, '/')+1:]
	receipt, attempt := spans["receive github push"], spans["deploy traced"]
	if receipt.TraceID != trace || len(receipt.Links) != 1 || receipt.Links[0].TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" {
		t.Errorf("the receipt: %+v", receipt)
	}
	if attempt.TraceID != trace || attempt.ParentSpanID != receipt.SpanID || len(attempt.Links) != 1 || spans["upload"].ParentSpanID != attempt.SpanID {
		t.Errorf("the attempt: %+v, of %+v", attempt, spans)
	}
	if want := "00-" + trace + "-" + attempt.SpanID + "-01"; started != want {
		t.Errorf("the platform was called with the trace %q, want %q", started, want)
	}
}
