package idle_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/bench/idle"
)

// serve serves a platform and returns the addresses of its API and its router, and what
// stops it.
func serve(t *testing.T, dir, target string) (api, routes string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := idle.Serve(ctx, dir, target, writer)
		_ = writer.CloseWithError(err)
		done <- err
	}()
	lines := bufio.NewReader(reader)
	for _, address := range []*string{&api, &routes} {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		*address = strings.TrimSpace(line)
	}
	return api, routes, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Every deployed app is routed to the one target, after the next start, too.
func TestDeploy(t *testing.T) {
	t.Parallel()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	defer target.Close()
	dir, err := filepath.Abs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	api, _, stop := serve(t, dir, target.Listener.Addr().String())
	client := idle.Client(api)
	defer client.Close()
	if err := idle.Deploy(t.Context(), client, 0, 12); err != nil {
		t.Fatal(err)
	}
	stop()
	_, routes, stop := serve(t, dir, target.Listener.Addr().String())
	defer stop()
	for _, app := range []int{0, 11} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+routes, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = idle.App(app) + ".localhost"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || string(text) != req.Host {
			t.Errorf("%s: %d %q, %v", req.Host, resp.StatusCode, text, err)
		}
	}
}
