package traces

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Options configures Traces. URL and Service are required.
type Options struct {
	URL     string                 // that spans are posted to, such as "http://localhost:4318/v1/traces"
	Headers map[string]core.Secret // of each request, such as an API key
	Service string                 // service.name
	Version string                 // service.version

	Every  time.Duration // between two requests, if fewer than a batch are waiting; 5 s
	Client *http.Client  // with a timeout; 10 s
	Logger *slog.Logger  // discards
}

const (
	batch    = 512  // spans of a request
	capacity = 4096 // spans that wait; more are dropped
)

// Traces is a [deploy.Tracer]. Spans that can't be sent are dropped: traces never delay
// a deployment.
type Traces struct {
	o       Options
	spans   chan span
	stop    chan struct{}
	stopped sync.WaitGroup

	mu      sync.Mutex
	dropped int  // since the last request
	failing bool // the last request failed
}

var _ deploy.Tracer = (*Traces)(nil)

// New returns Traces.
func New(o Options) *Traces {
	if o.Every <= 0 {
		o.Every = 5 * time.Second
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Traces{o: o, spans: make(chan span, capacity), stop: make(chan struct{})}
}

// Start begins to send spans, until Stop.
func (t *Traces) Start() { t.stopped.Go(t.run) }

// Stop sends what is waiting, at most until ctx ends.
func (t *Traces) Stop(ctx context.Context) error {
	close(t.stop)
	ended := make(chan struct{})
	go func() { // ends with the last request, which has a timeout
		t.stopped.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("traces: sending the last spans: %w", ctx.Err())
	}
}

// run sends spans in batches.
func (t *Traces) run() {
	tick := time.NewTicker(t.o.Every)
	defer tick.Stop()
	var waiting []span
	flush := func() {
		if len(waiting) > 0 {
			t.send(waiting)
		}
		waiting = nil
	}
	for {
		select {
		case s := <-t.spans:
			if waiting = append(waiting, s); len(waiting) >= batch {
				flush()
			}
		case <-tick.C:
			flush()
		case <-t.stop:
			for {
				select {
				case s := <-t.spans:
					waiting = append(waiting, s)
					continue
				default:
				}
				flush()
				return
			}
		}
	}
}

// add has a span sent, unless too many are waiting.
func (t *Traces) add(s span) {
	select {
	case t.spans <- s:
	default:
		t.mu.Lock()
		t.dropped++
		t.mu.Unlock()
	}
}

// send sends a batch, and logs when that begins and ceases to fail.
func (t *Traces) send(spans []span) {
	err := t.post(spans)
	t.mu.Lock()
	dropped, was := t.dropped, t.failing
	t.dropped, t.failing = 0, err != nil
	t.mu.Unlock()
	switch {
	case err != nil && !was:
		t.o.Logger.Warn("traces not sent", "error", err, "spans", len(spans))
	case err == nil && was:
		t.o.Logger.Info("traces are sent again")
	}
	if dropped > 0 {
		t.o.Logger.Warn("traces dropped, because too many were waiting", "spans", dropped)
	}
}

// post sends a request.
func (t *Traces) post(spans []span) error {
	body, err := json.Marshal(request(t.o.Service, t.o.Version, spans))
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, t.o.URL, bytes.NewReader(body)) //nolint:noctx // the client has a timeout
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "nodejitsu-webhooks")
	for name, value := range t.o.Headers {
		req.Header.Set(name, value.Reveal())
	}
	resp, err := t.o.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()                             //nolint:errcheck // only read
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)      // so that the connection can be used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 { // the body may repeat a credential
		return fmt.Errorf("the collector answers %s", resp.Status)
	}
	return nil
}
