package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// visitor is an HTTP client for whom every name resolves to one address.
func visitor(t *testing.T, roots *tls.Config) func(method, url, body string) answer {
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
	s.run(password+"\n", "users", "add", user, "--new-password-file", "-", "--data", s.data)
	visit := visitor(t, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.api, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	service := "https://example.test:" + port
	if s.api != service {
		t.Errorf("the server prints %s, want %s", s.api, service)
	}

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

// A person logs in once, and all commands call the service elsewhere by its one
// public address.
func TestLogin(t *testing.T) {
	t.Parallel()
	s := serve(t, "--apps-listen", "")
	// Nothing of this machine's server is configured.
	environ := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	call := func(stdin string, code int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env, cmd.Stdin = environ, strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
			t.Fatalf("webhooks %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	if out := call("wrong\n", 1, "login", s.api, "--user", user, "--password-file", "-"); !strings.Contains(out, "refuses the credentials") {
		t.Errorf("a wrong password: %s", out)
	}
	if out := call(password+"\n", 0, "login", s.api, "--user", user, "--password-file", "-", "--name", "work"); !strings.Contains(out, "logged in to "+s.api+" as "+user) {
		t.Errorf("got %s", out)
	}
	if out := call("", 0, "contexts", "--output", "json"); !strings.Contains(out, `"name": "work"`) || !strings.Contains(out, `"current": true`) || strings.Contains(out, "token") {
		t.Errorf("the logins are %s", out)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"package.json": packageJSON("away"), "index.js": node("away")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	call("", 0, "deploy", dir)
	if out := call("", 0, "apps", "list"); !strings.Contains(out, "away") {
		t.Errorf("the apps are %s", out)
	}
	if out := call("", 0, "open", "away"); !strings.HasPrefix(out, "http://away.localhost:") {
		t.Errorf("its URL is %s", out)
	}
	call("", 0, "status")
	// The token is for that service alone.
	if out := call("", 2, "status", "--url", "http://localhost:1"); !strings.Contains(out, "cannot prompt") {
		t.Errorf("another service: %s", out)
	}
	info, err := os.Stat(filepath.Join(environ[1][len("HOME="):], ".config", "webhooks", "contexts.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the logins: %v %v", info, err)
	}
	call("", 0, "logout")
	if out := call("", 2, "status"); !strings.Contains(out, "webhooks login") {
		t.Errorf("after the logout: %s", out)
	}
}
