package github

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/core"
)

func TestCheckArchive(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		base, at string
		extra    []string
		want     bool
	}{
		{at: "https://codeload.github.com/o/r/legacy.tar.gz/main?token=x", want: true},
		{at: "https://CODELOAD.github.com:443/o", want: true},
		{at: "https://api.github.com/o", want: true},
		{at: "http://codeload.github.com/o"},
		{at: "https://codeload.github.com:444/o"},
		{at: "https://codeload.github.com.evil.example/o"},
		{at: "https://codeload.github.com@evil.example/o"},
		{at: "https://user:pass@codeload.github.com/o"},
		{at: "https://evil.example/o"},
		{at: "file://codeload.github.com/etc/passwd"},
		{at: "https://cdn.example/o", extra: []string{"cdn.example"}, want: true},
		{at: "https://cdn.example:8443/o", extra: []string{"cdn.example"}},
		{at: "https://cdn.example:8443/o", extra: []string{"cdn.example:8443"}, want: true},
		{base: "https://git.example/api/v3", at: "https://git.example/_codeload/o", want: true},
		{base: "https://git.example/api/v3/", at: "https://codeload.git.example/o", want: true},
		{base: "https://api.acme.ghe.com", at: "https://codeload.acme.ghe.com/o", want: true},
		{base: "http://127.0.0.1:80", at: "http://127.0.0.1/o", want: true},
		{base: "http://127.0.0.1:81", at: "http://127.0.0.1/o"},
		{base: "http://[::1]:81", at: "http://[::1]:81/o", want: true},
	} {
		c, err := New(Options{BaseURL: test.base, ArchiveHosts: test.extra})
		if err != nil {
			t.Fatal(err)
		}
		at, err := url.Parse(test.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.checkArchive(at) == nil; got != test.want {
			t.Errorf("base %q, extra %q: archive at %s allowed: %t, want %t", test.base, test.extra, test.at, got, test.want)
		}
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	c, err := New(Options{Now: func() time.Time { return time.Unix(1000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"no header":        {nil, time.Minute},
		"seconds":          {map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"no seconds":       {map[string]string{"Retry-After": "0"}, time.Second},
		"years":            {map[string]string{"Retry-After": "4000000000"}, time.Hour},
		"date":             {map[string]string{"Retry-After": time.Unix(1030, 0).UTC().Format(http.TimeFormat)}, 30 * time.Second},
		"gibberish":        {map[string]string{"Retry-After": "soon"}, time.Minute},
		"reset":            {map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1100"}, 101 * time.Second},
		"reset long ago":   {map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "3"}, time.Second},
		"reset, some left": {map[string]string{"X-Ratelimit-Remaining": "5", "X-Ratelimit-Reset": "1100"}, time.Minute},
		"our clock is off": {map[string]string{
			"Date":                  time.Unix(5000, 0).UTC().Format(http.TimeFormat),
			"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "5010",
		}, 11 * time.Second},
		"retry-after wins": {map[string]string{
			"Retry-After": "2", "X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1100",
		}, 2 * time.Second},
	} {
		header := http.Header{}
		for key, value := range test.header {
			header.Set(key, value)
		}
		if got := c.wait(header); got != test.want {
			t.Errorf("%s: waits %v, want %v", name, got, test.want)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A request to another origin has no token, even one that should not be made.
func TestTokenIsSentToTheAPIOnly(t *testing.T) {
	t.Parallel()
	base, err := forgehttp.ParseURL("https://api.github.com")
	if err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{
		"https://api.github.com/user":          "Bearer secret",
		"https://API.github.com:443/user":      "Bearer secret",
		"https://api.github.com:444/user":      "",
		"http://api.github.com/user":           "",
		"https://codeload.github.com/user":     "",
		"https://api.github.com.evil.example/": "",
		"https://api.github.com@evil.example/": "",
	} {
		got := "not sent"
		transport := &apiTransport{
			base: base, token: core.NewSecret("secret"), log: slog.New(slog.DiscardHandler),
			Timeouts: forgehttp.Timeouts{Idle: time.Minute, Next: roundTrip(func(req *http.Request) (*http.Response, error) {
				got = req.Header.Get("Authorization")
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
			})},
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if got != want {
			t.Errorf("%s: sent %q, want %q", to, got, want)
		}
		if resp.Request.Header.Get("Authorization") != "" {
			t.Errorf("%s: the answer's request has the token", to)
		}
	}
}

func TestURLsWithinTheAPI(t *testing.T) {
	t.Parallel()
	base, err := forgehttp.ParseURL("https://git.example/api/v3")
	if err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]bool{
		"https://git.example/api/v3/repositories/1":    true,
		"https://git.example/_codeload/o/r":            false,
		"https://git.example/api/v3evil":               false,
		"https://me:pw@git.example/api/v3/repos":       false,
		"https://other.example/api/v3/repositories/1":  false,
		"http://git.example/api/v3/repositories/1":     false,
		"https://git.example:8443/api/v3/repositories": false,
	} {
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&apiTransport{base: base}).within(u); got != want {
			t.Errorf("%s is within the API: %t, want %t", to, got, want)
		}
	}
}

func TestNewWithInvalidOptions(t *testing.T) {
	t.Parallel()
	for _, options := range []Options{
		{BaseURL: "github.com"},
		{BaseURL: "ftp://github.com"},
		{BaseURL: "https:///api"},
		{BaseURL: "https://me:hunter2@github.com"},
		{BaseURL: "https://me:hunter2@git hub.com"},
		{BaseURL: "https://github.com?x=1"},
		{ArchiveHosts: []string{"https://codeload.example"}},
		{ArchiveHosts: []string{""}},
		{ArchiveHosts: []string{"a/b"}},
	} {
		_, err := New(options)
		if err == nil {
			t.Errorf("%+v: no error", options)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	if c, err := New(Options{BaseURL: "https://Git.Example/api/v3"}); err != nil || c.base.String() != "https://git.example/api/v3/" {
		t.Errorf("got %v, %v", c.base, err)
	}
}

func TestRepoPath(t *testing.T) {
	t.Parallel()
	repo := core.Repository{Owner: "o", Name: "r"}
	for path, want := range map[string]string{
		"package.json":    "repos/o/r/contents/package.json",
		"a b/ü#?%2e.json": "repos/o/r/contents/a%20b/%C3%BC%23%3F%252e.json",
		"a..b/...":        "repos/o/r/contents/a..b/...",
		`back\slash`:      "repos/o/r/contents/back%5Cslash",
		"":                "",
		"/etc/passwd":     "",
		"a//b":            "",
		"../../../user":   "",
		"a/..":            "",
		"./a":             "",
		"nul\x00":         "",
	} {
		got, err := repoPath(repo, "contents", path)
		if got != want || (want == "") != errors.Is(err, core.ErrNotFound) {
			t.Errorf("%q: got %q, %v, want %q", path, got, err, want)
		}
	}
	for _, repo := range []core.Repository{{}, {Owner: "..", Name: "r"}, {Owner: "o", Name: "a/b"}, {Owner: "o", Name: "r?x"}} {
		if _, err := repoPath(repo, "contents", "f"); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%q: got %v, want %v", repo.Slug(), err, core.ErrNotFound)
		}
	}
}
