package github_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/github"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

const commit = "96410ed970f6224a4cd3c450150c5d65bbc77fcd"

var token = core.NewSecret("ghp_canary")

func repo() core.Repository { return core.Repository{Owner: "octo", Name: "hello"} }

// host is a server that records its requests.
type host struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

type seen struct{ method, uri, authorization, accept, body string }

func newHost(t *testing.T, handler http.HandlerFunc) *host {
	t.Helper()
	h := &host{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.seen = append(h.seen, seen{r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), r.Header.Get("Accept"), string(body)})
		h.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) requests() []seen {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]seen(nil), h.seen...)
}

func (h *host) address() string { return strings.TrimPrefix(h.URL, "http://") }

func newClient(t *testing.T, options github.Options) *github.Client {
	t.Helper()
	client, err := github.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// calls are all methods of a Client, each returning what it read.
func calls() map[string]func(context.Context, *github.Client) (string, error) {
	return map[string]func(context.Context, *github.Client) (string, error){
		"File": func(ctx context.Context, c *github.Client) (string, error) {
			text, err := c.File(ctx, repo(), commit, "package.json", token)
			return string(text), err
		},
		"Archive": func(ctx context.Context, c *github.Client) (string, error) {
			return readTarball(ctx, c, commit)
		},
		"CommitStatus": func(ctx context.Context, c *github.Client) (string, error) {
			return "", c.CommitStatus(ctx, repo(), commit, deploy.CommitStatus{State: "success"}, token)
		},
		"DefaultBranch": func(ctx context.Context, c *github.Client) (string, error) {
			return c.DefaultBranch(ctx, repo(), token)
		},
		"Checks": func(ctx context.Context, c *github.Client) (string, error) {
			checks, err := c.Checks(ctx, repo(), commit, token)
			return fmt.Sprint(checks), err
		},
		"Login": func(ctx context.Context, c *github.Client) (string, error) {
			login, _, err := c.Login(ctx, token)
			return login, err
		},
	}
}

func readTarball(ctx context.Context, c *github.Client, commit string) (string, error) {
	body, err := c.Archive(ctx, repo(), commit, token)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(body)
	return string(text), errors.Join(err, body.Close())
}

func answer(w http.ResponseWriter, code int, body string) {
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body)
}

func TestErrorsOfRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code      int
		header    map[string]string
		body      string
		is        error
		transient bool
		after     time.Duration
	}{
		"unauthorized":    {code: 401, body: `{"message":"Bad credentials"}`, is: core.ErrUnauthorized},
		"two factors":     {code: 401, header: map[string]string{"X-Github-Otp": "required; app"}, is: core.ErrUnauthorized},
		"forbidden":       {code: 403, body: `{"message":"Resource not accessible by personal access token"}`, is: core.ErrForbidden},
		"legal reasons":   {code: 451, is: core.ErrForbidden},
		"not found":       {code: 404, body: `{"message":"Not Found"}`, is: core.ErrNotFound},
		"gone":            {code: 410, is: core.ErrNotFound},
		"no such commit":  {code: 422, body: `{"message":"No commit found for SHA: 96410ed"}`, is: core.ErrNotFound},
		"server error":    {code: 500, body: "<html>unicorn", transient: true},
		"bad gateway":     {code: 502, transient: true},
		"unavailable":     {code: 503, header: map[string]string{"Retry-After": "12"}, transient: true, after: 12 * time.Second},
		"primary 403":     {code: 403, header: map[string]string{"X-Ratelimit-Limit": "60", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1"}, transient: true, after: time.Second},
		"primary 429":     {code: 429, header: map[string]string{"X-Ratelimit-Limit": "60", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1"}, transient: true, after: time.Second},
		"secondary 403":   {code: 403, header: map[string]string{"Retry-After": "30"}, transient: true, after: 30 * time.Second},
		"secondary 429":   {code: 429, header: map[string]string{"Retry-After": "30"}, transient: true, after: 30 * time.Second},
		"secondary, bare": {code: 403, body: `{"message":"You have exceeded a secondary rate limit."}`, transient: true, after: time.Minute},
		"429, bare":       {code: 429, transient: true, after: time.Minute},
		"abuse":           {code: 403, body: `{"message":"x","documentation_url":"https://docs.github.com/#abuse-rate-limits","errors":[]}`, transient: true, after: time.Minute},
		"accepted":        {code: 202, body: "{}", transient: true},
		"invalid":         {code: 422, body: `{"message":"Validation Failed"}`},
	} {
		for call, do := range calls() {
			t.Run(name+"/"+call, func(t *testing.T) {
				t.Parallel()
				server := newHost(t, func(w http.ResponseWriter, _ *http.Request) {
					for key, value := range test.header {
						w.Header().Set(key, value)
					}
					answer(w, test.code, test.body)
				})
				_, err := do(t.Context(), newClient(t, github.Options{BaseURL: server.URL}))
				if err == nil {
					t.Fatal("no error")
				}
				for _, one := range []error{core.ErrUnauthorized, core.ErrForbidden, core.ErrNotFound} {
					if got, want := errors.Is(err, one), errors.Is(test.is, one); got != want {
						t.Errorf("is %q: %t, want %t: %v", one, got, want, err)
					}
				}
				after, transient := core.Retryable(err)
				if transient != test.transient || after != test.after {
					t.Errorf("retryable after %v: %t, want %v, %t: %v", after, transient, test.after, test.transient, err)
				}
				if got := len(server.requests()); got != 1 {
					t.Errorf("%d requests, want 1", got)
				}
				if strings.Contains(err.Error(), token.Reveal()) {
					t.Errorf("the token is in the error: %v", err)
				}
			})
		}
	}
}

// The rate limit of one user's token does not affect the calls of another.
func TestRateLimitIsPerToken(t *testing.T) {
	t.Parallel()
	first := true
	server := newHost(t, func(w http.ResponseWriter, _ *http.Request) {
		if first {
			first = false
			w.Header().Set("X-Ratelimit-Limit", "60")
			w.Header().Set("X-Ratelimit-Remaining", "0")
			w.Header().Set("X-Ratelimit-Reset", "4000000000")
			answer(w, http.StatusForbidden, "")
			return
		}
		answer(w, http.StatusOK, "{}")
	})
	client := newClient(t, github.Options{BaseURL: server.URL})
	if _, err := client.File(t.Context(), repo(), commit, "package.json", token); err == nil {
		t.Fatal("no error at the rate limit")
	}
	if _, err := client.File(t.Context(), repo(), commit, "package.json", core.NewSecret("another")); err != nil {
		t.Fatal(err)
	}
}

func TestNetworkFailures(t *testing.T) {
	t.Parallel()
	for call, do := range calls() {
		t.Run("refused/"+call, func(t *testing.T) {
			t.Parallel()
			server := newHost(t, nil)
			server.Close()
			_, err := do(t.Context(), newClient(t, github.Options{BaseURL: server.URL}))
			if _, ok := core.Retryable(err); !ok {
				t.Errorf("got %v, want a temporary error", err)
			}
		})
		t.Run("cut/"+call, func(t *testing.T) {
			t.Parallel()
			server := newHost(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
			_, err := do(t.Context(), newClient(t, github.Options{BaseURL: server.URL}))
			if _, ok := core.Retryable(err); !ok {
				t.Errorf("got %v, want a temporary error", err)
			}
		})
		t.Run("silent/"+call, func(t *testing.T) {
			t.Parallel()
			server := newHost(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			_, err := do(t.Context(), newClient(t, github.Options{BaseURL: server.URL, HeaderTimeout: 50 * time.Millisecond}))
			if _, ok := core.Retryable(err); !ok {
				t.Errorf("got %v, want a temporary error", err)
			}
		})
		t.Run("stalled/"+call, func(t *testing.T) {
			t.Parallel()
			server := newHost(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					w.WriteHeader(http.StatusCreated)
				}
				_, _ = io.WriteString(w, "{")
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			})
			_, err := do(t.Context(), newClient(t, github.Options{BaseURL: server.URL, IdleTimeout: 50 * time.Millisecond}))
			if _, ok := core.Retryable(err); !ok || !strings.Contains(err.Error(), "stopped sending") {
				t.Errorf("got %v, want a temporary error that says that the server stopped", err)
			}
		})
		t.Run("canceled/"+call, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			server := newHost(t, func(_ http.ResponseWriter, r *http.Request) {
				cancel()
				<-r.Context().Done()
			})
			_, err := do(ctx, newClient(t, github.Options{BaseURL: server.URL}))
			if _, ok := core.Retryable(err); ok || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the error of the context, not retryable", err)
			}
		})
	}
}
