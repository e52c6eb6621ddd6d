package platform_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// away is what runs no app, and is not reachable until a test says so.
type away struct {
	platform.Runner // what is not implemented here is not called
	here            atomic.Bool
	tries           chan struct{}
	endOthers       func(ctx context.Context)
}

func (a *away) Start(context.Context) error   { return nil }
func (a *away) Stop(context.Context) error    { return nil }
func (a *away) States() []runner.State        { return nil }
func (a *away) EndOthers(ctx context.Context) { a.endOthers(ctx) }

// Reachable implements platform.Remote.
func (a *away) Reachable(context.Context) error {
	select {
	case a.tries <- struct{}{}:
	default:
	}
	if a.here.Load() {
		return nil
	}
	return errors.New("connection refused")
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// A platform whose apps run on what is not reachable starts and is not ready, says so
// once, and goes on when that is reachable: it serves when what an earlier platform has
// left was removed.
func TestStartWithoutCluster(t *testing.T) {
	t.Parallel()
	cluster, log := &away{tries: make(chan struct{})}, &lines{}
	b := setup(t, platform.Options{
		Runner: func(string, func(runner.Crash)) (platform.Remote, error) { return cluster, nil },
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	status := func() int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL()+"/readyz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // only the status counts
		return resp.StatusCode
	}
	ended := make(chan error, 1)
	cluster.endOthers = func(ctx context.Context) { ended <- b.Check(ctx) }
	for range 3 {
		<-cluster.tries
	}
	if err := b.Check(t.Context()); core.CodeOf(err) != core.CodePlatformBusy || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the check: %v", err)
	}
	if got := status(); got != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d", got)
	}
	if n := log.count("not reachable"); n != 1 {
		t.Errorf("it is logged %d times", n)
	}
	cluster.here.Store(true)
	b.eventually("the check", func() bool { return b.Check(t.Context()) == nil })
	if got := status(); got != http.StatusOK {
		t.Errorf("/readyz answers %d", got)
	}
	if err := <-ended; core.CodeOf(err) != core.CodePlatformBusy || !strings.Contains(err.Error(), "being taken over") {
		t.Errorf("the check while others were ended: %v", err)
	}
	// One that waits can be stopped.
	b.stop()
	cluster.here.Store(false)
	b.start()
	<-cluster.tries
}
