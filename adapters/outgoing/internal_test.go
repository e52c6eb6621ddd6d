package outgoing

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/guard/guardtest"
	"github.com/nodejitsu/webhooks/core"
)

// Whoever answers for the name of the URL's host has us post to nobody inside,
// unless the operator says that it may be there.
func TestNobodyInsideIsToldByAName(t *testing.T) {
	t.Parallel()
	told := make(chan struct{}, 1)
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told <- struct{}{} }))
	t.Cleanup(inside.Close)
	_, port, _ := strings.Cut(inside.Listener.Addr().String(), ":")
	notify := func(private ...string) error {
		w, err := New(Options{URL: "http://hooks.example.com:" + port + "/canary", PrivateHosts: private})
		if err != nil {
			t.Fatal(err)
		}
		w.guard.Resolver = guardtest.Liar(t, "127.0.0.1")
		return w.Notify(t.Context(), core.Entry{})
	}
	err := notify()
	if _, again := core.Retryable(err); again || !errors.Is(err, guard.ErrRefused) || strings.Contains(err.Error(), "canary") || len(told) != 0 {
		t.Errorf("got %v and %d posts, want it refused", err, len(told))
	}
	if err := notify("hooks.example.com"); err != nil || len(told) != 1 {
		t.Errorf("where it may: %v, %d posts", err, len(told))
	}
}
