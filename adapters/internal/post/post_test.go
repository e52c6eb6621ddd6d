package post_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/post"
	"github.com/nodejitsu/webhooks/core"
)

func TestDo(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := map[string]int{"/ok": 204, "/gone": 404, "/busy": 429, "/down": 503, "/moved": 302, "/late": 408}[r.URL.Path]
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Location", "/ok")
		w.WriteHeader(status)
		if status != 204 {
			_, _ = io.WriteString(w, "you are "+r.Header.Get("Authorization")+" with "+r.URL.RawQuery)
		}
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	do := func(g *guard.Guard, path string) error {
		client := post.New(g, time.Now)
		defer client.Close()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path+"?key=canary-url", strings.NewReader("text"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer canary-header")
		return client.Do(req, core.NewSecret("canary-url"))
	}
	named := guard.ForURL(u, nil)
	if err := do(named, "/ok"); err != nil {
		t.Error(err)
	}
	for path, temporary := range map[string]bool{"/gone": false, "/moved": false, "/busy": true, "/down": true, "/late": true} {
		err := do(named, path)
		after, again := core.Retryable(err)
		if err == nil || again != temporary || temporary && after != 7*time.Second || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "you are") {
			t.Errorf("%s: got %v, retryable %t after %v", path, err, again, after)
		}
	}
	if err := do(guard.New(nil), "/ok"); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("a private address: got %v", err)
	} else if _, again := core.Retryable(err); again {
		t.Errorf("a private address: got a temporary error, %v", err)
	}
	server.Close()
	if _, again := core.Retryable(do(named, "/ok")); !again {
		t.Error("nothing listens: want a temporary error")
	}
}
