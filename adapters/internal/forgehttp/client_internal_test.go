package forgehttp

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/guard/guardtest"
	"github.com/nodejitsu/webhooks/core"
)

// newClient returns a client of the forge at address, whose tokens are in the header
// Authorization.
func newClient(t *testing.T, address string, private ...string) *Client {
	t.Helper()
	c, err := New(Options{
		Name: "forge", URLs: []string{address}, PrivateHosts: private,
		Authorize: func(h http.Header, token core.Secret) { h.Set("Authorization", "Bearer "+token.Reveal()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

// What an answer other than 2xx means is the same on every forge.
func TestRefusals(t *testing.T) {
	t.Parallel()
	reset := http.Header{"Ratelimit-Reset": {"1000000060"}, "Date": {"Sun, 09 Sep 2001 01:46:40 GMT"}} // 60 s later
	for name, test := range map[string]struct {
		code   int
		header http.Header
		body   string
		is     error         // nil: none of core's
		after  time.Duration // until it may be tried again; -1: never
		says   string
	}{
		"unauthorized":                  {code: 401, body: `{"message":"Token expired"}`, is: core.ErrUnauthorized, after: -1, says: `"Token expired"`},
		"forbidden":                     {code: 403, body: `{"error":{"message":"no access"}}`, is: core.ErrForbidden, after: -1, says: `"no access"`},
		"for legal reasons":             {code: 451, is: core.ErrForbidden, after: -1},
		"not found":                     {code: 404, body: "<html>", is: core.ErrNotFound, after: -1},
		"gone":                          {code: 410, is: core.ErrNotFound, after: -1},
		"invalid":                       {code: 422, body: `{"message":{"url":["is blocked"]}}`, after: -1, says: "is blocked"},
		"a rate limit":                  {code: 429, header: http.Header{"Retry-After": {"30"}}, body: "Retry later", after: 30 * time.Second},
		"a rate limit of GitLab's":      {code: 429, header: reset, after: 61 * time.Second},
		"a rate limit that says no end": {code: 429, after: time.Minute},
		"a rate limit as forbidden":     {code: 403, header: http.Header{"Retry-After": {"7"}}, after: 7 * time.Second},
		"unavailable":                   {code: 503, header: http.Header{"Retry-After": {"12"}}, after: 12 * time.Second},
		"an error of the server":        {code: 500, body: "oops", after: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), test.header)
				w.WriteHeader(test.code)
				_, _ = io.WriteString(w, test.body)
			})
			_, err := newClient(t, at).File(t.Context(), Call{Doing: "read it", URL: at + "/x"})
			after, again := core.Retryable(err)
			if again != (test.after >= 0) || again && after != test.after {
				t.Errorf("may be tried again: %t, after %s; want %s: %v", again, after, test.after, err)
			}
			for _, is := range []error{core.ErrUnauthorized, core.ErrForbidden, core.ErrNotFound} {
				if errors.Is(err, is) != errors.Is(test.is, is) {
					t.Errorf("is %q: %v", is, err)
				}
			}
			if err == nil || !strings.HasPrefix(err.Error(), "forge: read it: ") || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A token is sent to the forge alone, and a redirect of a write is not followed.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var heard atomic.Value
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		heard.Store(r.Method + " " + r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, "elsewhere")
	})
	otherURL, err := url.Parse(other)
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "/there", http.StatusFound)
		case "/there":
			_, _ = io.WriteString(w, r.Header.Get("Authorization"))
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/user":
			http.Redirect(w, r, "http://me:pw@"+otherURL.Host+"/", http.StatusFound)
		default:
			http.Redirect(w, r, other, http.StatusFound)
		}
	})
	c := newClient(t, at)
	c.guard = guard.New(map[string]bool{guard.HostPort(otherURL): true, strings.TrimPrefix(at, "http://"): true})
	c.connections.DialContext = c.guard.DialContext
	call := func(path string) Call {
		return Call{Doing: "read it", URL: at + path, Token: core.NewSecret("canary")}
	}
	if text, err := c.File(t.Context(), call("/here")); err != nil || string(text) != "Bearer canary" {
		t.Errorf("within the forge: got %q, %v", text, err)
	}
	if text, err := c.File(t.Context(), call("/away")); err != nil || string(text) != "elsewhere" || heard.Load() != "GET " {
		t.Errorf("to another host: got %q, %v; it received %q", text, err, heard.Load())
	}
	for _, path := range []string{"/loop", "/user"} {
		if _, err := c.File(t.Context(), call(path)); !errors.Is(err, guard.ErrRefused) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	write := call("/here")
	write.Method, write.Body = http.MethodPost, map[string]string{"a": "b"}
	before := calls.Load()
	if _, err := c.JSON(t.Context(), write, nil); !errors.Is(err, guard.ErrRefused) || calls.Load() != before+1 {
		t.Errorf("a write: got %v after %d requests", err, calls.Load()-before)
	}
}

// No request is sent to a private address, unless the operator named its host.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	var heard atomic.Int64
	at := serve(t, func(http.ResponseWriter, *http.Request) { heard.Add(1) })
	port := at[strings.LastIndexByte(at, ':'):]
	named := "http://git.example.com" + port
	for why, test := range map[string]struct {
		url     string
		private []string
		want    bool
	}{
		"a name":                 {named, nil, false},
		"another name":           {named, []string{"example.com"}, false},
		"a name that may be":     {named, []string{"Git.Example.com"}, true},
		"an address, as it is":   {at, nil, true},
		"localhost, as it is":    {"http://localhost" + port, nil, true},
		"a redirect to the name": {serve(t, http.RedirectHandler("http://inside.example.com"+port, http.StatusFound).ServeHTTP), nil, false},
	} {
		c := newClient(t, test.url, test.private...)
		c.guard.Resolver = guardtest.NewResolver(t, "127.0.0.1")
		before := heard.Load()
		_, err := c.File(t.Context(), Call{Doing: "read it", URL: test.url, Token: core.NewSecret("canary")})
		if got := heard.Load() != before; got != test.want || test.want != (err == nil) || err != nil && !errors.Is(err, guard.ErrRefused) {
			t.Errorf("%s: it was sent: %t, want %t: %v", why, got, test.want, err)
		}
		if _, again := core.Retryable(err); again {
			t.Errorf("%s: may be tried again: %v", why, err)
		}
	}
}

// An archive that ends too early is not read as a whole one.
func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "the beginning")
	})
	body, err := newClient(t, at).Open(t.Context(), Call{Doing: "fetch it", URL: at})
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(body)
	if _, again := core.Retryable(err); !again || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	exact := strings.Repeat("ä", 140)
	if got := Cut(exact, 140); got != exact {
		t.Errorf("140 characters were cut to %q", got)
	}
	if got, want := Cut(exact+"b", 140), strings.Repeat("ä", 139)+"…"; got != want {
		t.Errorf("141 characters: got %q", got)
	}
	if got, want := Cut("a\xffb", 140), "a\uFFFDb"; got != want {
		t.Errorf("not UTF-8: got %q, want %q", got, want)
	}
}
