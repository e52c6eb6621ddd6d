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

// api is a stand-in for the API of Travis CI.
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
	a.has(oneKey)
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

// has sets the key in the answer.
func (a *api) has(key string) {
	text, _ := json.Marshal(key)
	a.answer.Store(`{"config":{"host":"travis-ci.com","notifications":{"webhook":{"public_key":` + string(text) + `}}}}`)
}

// clock is a clock that a test sets.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time           { return time.Unix(c.at.Load(), 0) }
func (c *clock) pass(after time.Duration) { c.at.Add(int64(after.Seconds())) }

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

// knows checks which key is known, and how many requests there were by then.
func knows(t *testing.T, k *travis.Keys, a *api, missed bool, want string, asked int64) {
	t.Helper()
	known, err := k.Known(t.Context(), missed)
	if err != nil {
		t.Fatal(err)
	}
	if len(known) != 1 || known[0].Reveal() != want {
		t.Errorf("knows %d keys, not the wanted one", len(known))
	}
	if got := a.asked.Load(); got != asked {
		t.Errorf("%d requests, want %d", got, asked)
	}
}

func TestKeysAreKeptAndReplaced(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	k, clock := newKeys(t, a)
	knows(t, k, a, false, oneKey, 1)
	clock.pass(24 * time.Hour)
	knows(t, k, a, false, oneKey, 1)

	a.has(otherKey)
	knows(t, k, a, true, otherKey, 2)
	// Wrong signatures do not cause a request each.
	a.has(oneKey)
	knows(t, k, a, true, otherKey, 2)
	clock.pass(time.Minute)
	knows(t, k, a, true, oneKey, 3)
}

func TestKeysWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, breakIt := range map[string]func(*api){
		"an error":     func(a *api) { a.status.Store(http.StatusBadGateway) },
		"a redirect":   func(a *api) { a.status.Store(http.StatusFound) },
		"a page":       func(a *api) { a.answer.Store("<html>") },
		"another JSON": func(a *api) { a.answer.Store(`{"config":{}}`) },
		"no PEM":       func(a *api) { a.has("key") },
		"nobody":       func(a *api) { a.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			k, clock := newKeys(t, a)
			knows(t, k, a, false, oneKey, 1)
			breakIt(a)
			clock.pass(time.Hour)
			known, err := k.Known(t.Context(), true)
			if err == nil || len(known) != 1 {
				t.Errorf("knows %d keys, %v; want the one from before, and an error", len(known), err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "travis: ") {
				t.Errorf("error %v", err)
			}
			// There is no other request at once, and the error is returned once.
			if known, err = k.Known(t.Context(), true); err != nil || len(known) != 1 {
				t.Errorf("then knows %d keys, %v", len(known), err)
			}
		})
	}
}

func TestKeysWaitNoLongerThanTheirCaller(t *testing.T) {
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
	go func() { _, err := k.Known(first, false); ended <- err }()
	<-entered
	second, cancelSecond := context.WithCancel(t.Context())
	cancelSecond()
	if _, err := k.Known(second, false); err == nil {
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
