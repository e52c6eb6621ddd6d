package nodejitsu_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

var password = core.NewSecret("canary pässword:1")

// seen is a request that the platform received.
type seen struct {
	method, uri, user, password, contentType, agent, order, body string
}

// api fakes a platform and records its requests.
type api struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

// newAPI serves with handler, which gets each request after its body was read.
func newAPI(t *testing.T, handler http.HandlerFunc) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewServer(a.remember(handler))
	t.Cleanup(a.Close)
	return a
}

func (a *api) remember(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, given, _ := r.BasicAuth()
		a.mu.Lock()
		a.seen = append(a.seen, seen{
			r.Method, r.URL.RequestURI(), user, given,
			r.Header.Get("Content-Type"), r.Header.Get("User-Agent"), r.Header.Get(nodejitsu.HeaderOrder), string(body),
		})
		a.mu.Unlock()
		handler(w, r)
	}
}

func (a *api) requests() []seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]seen(nil), a.seen...)
}

// lines returns the requests as "METHOD /uri".
func (a *api) lines() string {
	var lines []string
	for _, s := range a.requests() {
		lines = append(lines, s.method+" "+s.uri)
	}
	return strings.Join(lines, "\n")
}

// bodies returns the requests as "METHOD /uri body".
func bodies(a *api) string {
	var lines []string
	for _, s := range a.requests() {
		lines = append(lines, s.method+" "+s.uri+" "+s.body)
	}
	return strings.Join(lines, "\n")
}

// written answers any write.
func written(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"app":{"url":"http://a.localhost"}}`)
}

// newClient calls the platform at url as maciej.
func newClient(t *testing.T, url string) *nodejitsu.Client {
	t.Helper()
	c := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return url },
		Username: "maciej",
		Password: func() core.Secret { return password },
	})
	t.Cleanup(c.Close)
	return c
}

// The header of each request is completed by the one who calls, with its context.
func TestHeader(t *testing.T) {
	t.Parallel()
	type key struct{}
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Traceparent")
		_, _ = io.WriteString(w, `{"apps":[]}`)
	}))
	t.Cleanup(server.Close)
	c := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return server.URL },
		Header:   func(ctx context.Context, h http.Header) { h.Set("Traceparent", ctx.Value(key{}).(string)) },
	})
	t.Cleanup(c.Close)
	if _, err := c.Apps(context.WithValue(t.Context(), key{}, "00-1"), "maciej"); err != nil || got != "00-1" {
		t.Errorf("got %q, %v", got, err)
	}
}

// answers returns a handler that answers each "METHOD /uri" with its text, or
// refuses with the text after "409 " or "503 "; it refuses all others with 404.
func answers(table map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, ok := table[r.Method+" "+r.URL.RequestURI()]
		switch {
		case !ok:
			refuse(w, http.StatusNotFound, "not_found", "There is no such thing")
		case strings.HasPrefix(text, "409 "):
			refuse(w, http.StatusConflict, "conflict", strings.TrimPrefix(text, "409 "))
		case strings.HasPrefix(text, "503 "):
			refuse(w, http.StatusServiceUnavailable, "busy", strings.TrimPrefix(text, "503 "))
		default:
			_, _ = io.WriteString(w, text)
		}
	}
}

func refuse(w http.ResponseWriter, status int, name, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"error":"`+name+`","message":"`+message+`"}`)
}

// noSecrets fails if err contains a credential or a URL.
func noSecrets(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, secret := range []string{
		password.Reveal(), "canary",
		base64.StdEncoding.EncodeToString([]byte("maciej:" + password.Reveal())),
		"://",
	} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error contains %q: %v", secret, err)
		}
	}
	if !strings.HasPrefix(err.Error(), "nodejitsu: ") {
		t.Errorf("error %q does not begin with the package", err)
	}
}
