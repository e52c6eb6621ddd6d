package builds_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

// The static site server supports the requests of browsers and proxies.
func TestStaticServer(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{})
	result := b.mustBuild(app(t, `{"name":"a","webhooks":{"static":"www"}}`,
		"www/index.html", "home", "www/data.txt", "0123456789", "www/data.txt.br", "small", "www/.git/config", "secret", "www/sub/index.html", "sub"))
	if result.Static != "site" || result.Dir != b.dir {
		t.Fatalf("result %+v", result)
	}
	port := freePort(t)
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", result.Web) //nolint:gosec // returned by the builder
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "PORT=" + strconv.Itoa(port)}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // it was killed
	}()
	url := "http://127.0.0.1:" + strconv.Itoa(port)
	await(t, func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			return false
		}
		_ = conn.Close() // only to test the connection
		return true
	})
	ask := func(method, path string, header map[string]string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range header {
			req.Header.Set(name, value)
		}
		client := &http.Client{
			Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	first, body := ask("GET", "/data.txt", nil)
	tag := first.Header.Get("ETag")
	if first.StatusCode != 200 || body != "0123456789" || tag == "" || first.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Fatalf("got %d %q %v", first.StatusCode, body, first.Header)
	}
	for _, test := range []struct {
		what, method, path string
		header             map[string]string
		status             int
		body, name, value  string
	}{
		{"known", "GET", "/data.txt", map[string]string{"If-None-Match": tag}, 304, "", "ETag", tag},
		{"a part", "GET", "/data.txt", map[string]string{"Range": "bytes=2-4"}, 206, "234", "Content-Range", "bytes 2-4/10"},
		{"the end", "GET", "/data.txt", map[string]string{"Range": "bytes=-3"}, 206, "789", "Content-Range", "bytes 7-9/10"},
		{"beyond", "GET", "/data.txt", map[string]string{"Range": "bytes=10-"}, 416, "", "Content-Range", "bytes */10"},
		{"a part of another", "GET", "/data.txt", map[string]string{"Range": "bytes=2-4", "If-Range": `"x"`}, 200, "0123456789", "Accept-Ranges", "bytes"},
		{"compressed", "GET", "/data.txt", map[string]string{"Accept-Encoding": "gzip, br"}, 200, "small", "Content-Encoding", "br"},
		{"not compressed", "GET", "/data.txt", map[string]string{"Accept-Encoding": "br;q=0"}, 200, "0123456789", "Content-Encoding", ""},
		{"head", "HEAD", "/data.txt", nil, 200, "", "Content-Length", "10"},
		{"post", "POST", "/data.txt", nil, 405, "", "Allow", "GET, HEAD"},
		{"a folder", "GET", "/sub", nil, 308, "", "Location", "/sub/"},
		{"hidden", "GET", "/.git/config", nil, 404, "Not found\n", "", ""},
		{"climbing", "GET", "/..%2f..%2fpackage.json", nil, 404, "Not found\n", "", ""},
		{"not decodable", "GET", "/%ff", nil, 400, "", "", ""},
	} {
		resp, body := ask(test.method, test.path, test.header)
		if resp.StatusCode != test.status || body != test.body || test.name != "" && resp.Header.Get(test.name) != test.value {
			t.Errorf("%s: got %d %q %v", test.what, resp.StatusCode, body, resp.Header)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only to find a free port
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(l.Addr())
	}
	return addr.Port
}
