package travis

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/guard/guardtest"
)

// No request is sent to a private address that the name of the API resolves to.
func TestNoRequestToAPrivateAddress(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("there was a request") }))
	t.Cleanup(inside.Close)
	_, port, _ := strings.Cut(inside.Listener.Addr().String(), ":")
	for _, url := range []string{"http://travis.example.com:" + port, "http://travis.example.com"} {
		k, err := New(Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		k.guard.Resolver = guardtest.NewResolver(t, "127.0.0.1")
		if _, err := k.Keys(t.Context(), false); !errors.Is(err, guard.ErrRefused) {
			t.Errorf("%s: got %v, want refused", url, err)
		}
	}
}
