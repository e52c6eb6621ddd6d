package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// visitor is an HTTP client for whom every name resolves to one address.
func visitor(t *testing.T, s *server, roots *tls.Config) func(method, url, body string) answer {
	t.Helper()
	client := http.Client{
		Transport: &http.Transport{
			TLSClientConfig: roots, ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(addr)
				if err != nil {
					return nil, err
				}
				return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return func(method, url, body string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(user, password)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{resp.StatusCode, resp.Header, string(text)}
	}
}

// With --domain, one address with TLS serves the API, the platform's API and the
// apps, and another one redirects to it.
func TestOneAddress(t *testing.T) {
	t.Parallel()
	h := github(t)
	cert, key, roots := authority(t)
	s := run(t, "serve", 4, h.flags("--domain", "example.test", "--tls-cert", cert, "--tls-key", key,
		"--apps-listen", "", "--redirect-listen", "127.0.0.1:0")...)
	s.run(password+"\n", "users", "add", user, "--password-stdin", "--data", s.data)
	visit := visitor(t, s, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.api, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	service := "https://example.test:" + port

	repo := h.repository("shared")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("shared"), "index.js": `
		require('http').createServer((req, res) => res.end(req.headers.host + req.url)).listen(process.env.PORT)`})
	got := visit(http.MethodPost, service+"/1/deploy", repo.delivery(t, commit, "1", nil).body)
	if got.status != http.StatusOK {
		t.Fatalf("deploying: %d %s", got.status, got.body)
	}
	app := "https://shared.example.test:" + port
	if got := visit(http.MethodGet, service+"/1/status/dscape/webhooks", ""); !strings.Contains(got.body, `"`+app+`"`) {
		t.Errorf("the app's URL %s is missing in %s", app, got.body)
	}
	for url, want := range map[string]answer{
		app + "/platform/apps":                   {200, nil, "shared.example.test:" + port + "/platform/apps"}, // its own path
		service + "/healthz":                     {200, nil, "ok"},
		service + "/platform/apps/dscape":        {200, nil, `"name":"shared"`},
		"https://other.example.test:" + port:     {404, nil, "There is no app at this address"},
		"https://127.0.0.1:" + port + "/healthz": {200, nil, "ok"},
	} {
		if got := visit(http.MethodGet, url, ""); got.status != want.status || !strings.Contains(got.body, want.body) {
			t.Errorf("%s: got %d %s, want %d %s", url, got.status, got.body, want.status, want.body)
		}
	}

	// No app gets the host of the service.
	fields, err := json.Marshal(map[string]any{"domains": []string{"example.test"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := visit(http.MethodPut, service+"/platform/apps/dscape/shared", string(fields)); got.status < 400 || got.status >= 500 {
		t.Errorf("an app with the service's domain: got %d %s", got.status, got.body)
	}

	got = visit(http.MethodGet, "http://shared.example.test"+s.redirects[strings.LastIndexByte(s.redirects, ':'):]+"/a?b=c", "")
	if want := app + "/a?b=c"; got.status != http.StatusPermanentRedirect || got.header.Get("Location") != want {
		t.Errorf("got %d to %s, want a redirect to %s", got.status, got.header.Get("Location"), want)
	}
}
