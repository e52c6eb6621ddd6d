package travis_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/travis"
)

// Keys of 512 bits, made for this test.
const (
	oneKey   = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\n9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==\n-----END PUBLIC KEY-----"
	otherKey = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALx5KgLyu0yyWR9c6U2vqkVhWkmmYK+R\nyEIDBmnZ7vxWoYOc7UxAkC1hCMzDQGbOyZ0YcOEpnnpYsBpVQnfaoRkCAwEAAQ==\n-----END PUBLIC KEY-----"
)

// api is a fake of the API of Travis CI.
type api struct {
	*httptest.Server
	asked  atomic.Int64
	status atomic.Int64
	answer atomic.Value // string
}

func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{}
	a.status.Store(http.StatusOK)
	a.setKey(oneKey)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		if r.URL.Path != "/config" || r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(int(a.status.Load()))
		_, _ = w.Write([]byte(a.answer.Load().(string)))
	}))
	t.Cleanup(a.Close)
	return a
}

// setKey sets the key in the answer.
func (a *api) setKey(key string) {
	text, _ := json.Marshal(key)
	a.answer.Store(`{"config":{"host":"travis-ci.com","notifications":{"webhook":{"public_key":` + string(text) + `}}}}`)
}

// clock is a clock that a test sets.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time              { return time.Unix(c.at.Load(), 0) }
func (c *clock) advance(after time.Duration) { c.at.Add(int64(after.Seconds())) }

func newKeys(t *testing.T, a *api) (*travis.Keys, *clock) {
	t.Helper()
	c := &clock{}
	c.at.Store(1e9)
	k, err := travis.New(travis.Options{URL: a.URL + "/", Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return k, c
}

// wantKey checks that the key is known after that many requests.
func wantKey(t *testing.T, k *travis.Keys, a *api, missed bool, want string, asked int64) {
	t.Helper()
	known, err := k.Keys(t.Context(), missed)
	if err != nil {
		t.Fatal(err)
	}
	if len(known) != 1 || known[0].Reveal() != want {
		t.Errorf("got %d keys, not the wanted one", len(known))
	}
	if got := a.asked.Load(); got != asked {
		t.Errorf("%d requests, want %d", got, asked)
	}
}

func TestKeysAreKeptAndReplaced(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	k, clock := newKeys(t, a)
	wantKey(t, k, a, false, oneKey, 1)
	clock.advance(24 * time.Hour)
	wantKey(t, k, a, false, oneKey, 1)

	a.setKey(otherKey)
	wantKey(t, k, a, true, otherKey, 2)
	// Wrong signatures do not cause a request each.
	a.setKey(oneKey)
	wantKey(t, k, a, true, otherKey, 2)
	clock.advance(time.Minute)
	wantKey(t, k, a, true, oneKey, 3)
}

func TestKeysWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(*api){
		"an error":     func(a *api) { a.status.Store(http.StatusBadGateway) },
		"a redirect":   func(a *api) { a.status.Store(http.StatusFound) },
		"a page":       func(a *api) { a.answer.Store("<html>") },
		"another JSON": func(a *api) { a.answer.Store(`{"config":{}}`) },
		"no PEM":       func(a *api) { a.setKey("key") },
		"closed":       func(a *api) { a.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			k, clock := newKeys(t, a)
			wantKey(t, k, a, false, oneKey, 1)
			breakIt(a)
			clock.advance(time.Hour)
			known, err := k.Keys(t.Context(), true)
			if err == nil || len(known) != 1 {
				t.Errorf("got %d keys, %v; want the previous key and an error", len(known), err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "travis: ") {
				t.Errorf("error %v", err)
			}
			// There is no other request at once, and the error is returned once.
			if known, err = k.Keys(t.Context(), true); err != nil || len(known) != 1 {
				t.Errorf("then got %d keys, %v", len(known), err)
			}
		})
	}
}

func TestKnownEndsWithItsContext(t *testing.T) {
	t.Parallel()
	hold, entered := make(chan struct{}), make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-hold
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hold) })
	k, err := travis.New(travis.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	first, cancelFirst := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { _, err := k.Keys(first, false); ended <- err }()
	<-entered
	second, cancelSecond := context.WithCancel(t.Context())
	cancelSecond()
	if _, err := k.Keys(second, false); err == nil {
		t.Error("the second call has no error")
	}
	cancelFirst()
	if err := <-ended; err == nil {
		t.Error("the first call has no error")
	}
}

func TestInvalidURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"ftp://example.com", "https://", "://", "api.travis-ci.com"} {
		if _, err := travis.New(travis.Options{URL: url}); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
}
