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

// A host name that resolves to a private address is refused unless the operator
// allows it.
func TestPrivateAddressOfAName(t *testing.T) {
	t.Parallel()
	posts := make(chan struct{}, 1)
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { posts <- struct{}{} }))
	t.Cleanup(inside.Close)
	_, port, _ := strings.Cut(inside.Listener.Addr().String(), ":")
	notify := func(private ...string) error {
		w, err := New(Options{URL: "http://hooks.example.com:" + port + "/canary", PrivateHosts: private})
		if err != nil {
			t.Fatal(err)
		}
		w.guard.Resolver = guardtest.NewResolver(t, "127.0.0.1")
		return w.Notify(t.Context(), core.Entry{})
	}
	err := notify()
	if _, again := core.Retryable(err); again || !errors.Is(err, guard.ErrRefused) || strings.Contains(err.Error(), "canary") || len(posts) != 0 {
		t.Errorf("got %v and %d posts, want it refused", err, len(posts))
	}
	if err := notify("hooks.example.com"); err != nil || len(posts) != 1 {
		t.Errorf("allowed: %v, %d posts", err, len(posts))
	}
}
