package api_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, call := range []string{
		"GET /", "GET /nothing", "POST /apps", "GET /apps/", "GET /apps/me/", "GET /apps//me", "GET /apps/me/app/",
		"GET /users/../users", "POST /apps/me/./app/start", "GET /apps/me/../you", "DELETE /apps/me/app/..",
		"GET /apps/me/app/nothing", "PUT /apps//me",
	} {
		b.refused(404, "no_such_path", "", call, "")
		b.refused(404, "no_such_path", me, call, "")
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for call, allow := range map[string]string{
		"DELETE /auth":                          "GET",
		"PATCH /apps/me/app":                    "GET, POST, PUT, DELETE",
		"GET /apps/me/app/start":                "POST",
		"DELETE /apps/me":                       "GET",
		"PUT /users/me/tokens/a":                "", // a route
		"GET /users/me/tokens/a":                "POST, PUT, DELETE",
		"PUT /logs/me/app":                      "GET, POST",
		"OPTIONS /apps/me/app/snapshots/1":      "GET, POST, DELETE",
		"PUT /apps/me/app/snapshots/1/activate": "POST",
	} {
		got := b.call("", call, "")
		if allow == "" {
			if got.status != 401 {
				t.Errorf("%s: status %d", call, got.status)
			}
			continue
		}
		if name := got.object()["error"]; got.status != 405 || name != "method_not_allowed" || got.header.Get("Allow") != allow {
			t.Errorf("%s: %d %v, Allow %q, want 405 and %q", call, got.status, name, got.header.Get("Allow"), allow)
		}
	}
	if got := b.call(me, "HEAD /apps/me", ""); got.status != 200 || got.body != "" {
		t.Errorf("HEAD: %d %q", got.status, got.body)
	}
	b.call(me, "HEAD /apps/me/none", "")
}

func TestNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"a%2Fb", "%2e%2e", "..%2Fyou", "App", "%C3%A4pp", "a%20b", "a%00", ".app", "-app", "_app", "a%5Cb", strings.Repeat("a", 65)} {
		for _, call := range []string{
			"GET /apps/me/" + name, "POST /apps/me/" + name, "DELETE /apps/me/" + name, "POST /apps/me/" + name + "/start",
			"GET /logs/me/" + name, "POST /apps/me/" + name + "/snapshots/1",
			"GET /apps/" + name, "POST /users/" + name, "GET /users/" + name + "/available",
		} {
			b.refused(400, "invalid", operator, call, "")
		}
	}
	b.app("app")
	for _, name := range []string{"a%2Fb", "%2e%2e", "V1", "1.tgz", strings.Repeat("a", 65)} {
		b.refused(400, "invalid", me, "POST /apps/me/app/snapshots/"+name, "tgz")
	}
	for _, name := range []string{"..%2F..%2Fyou%2Fapp%2F1.tgz", "%2e%2e.tgz", "1"} {
		b.refused(404, "not_found", me, "GET /apps/me/app/snapshots/"+name, "")
	}
	b.must(201, me, "POST /apps/me/"+strings.Repeat("a", 63), "{}")
}

// withBody returns the calls that read a body: an object, or a list for cloud.
func withBody() []string {
	return []string{
		"POST /apps/me/app", "PUT /apps/me/app", "POST /apps/me/app/available", "POST /users/me/thirdparty",
		"POST /users/email/taken", "PUT /users/me", "POST /logs/me", "POST /logs/me/app", "POST /apps/me/app/cloud",
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	for _, call := range withBody() {
		for _, body := range []string{`{`, `"text"`, `1`, `{"a":1} {"b":2}`, `{a:1}`, "\x00", `{"a":1`, `<html>`} {
			b.refused(400, "invalid", me, call, body)
		}
		b.refused(400, "too_large", me, call, `{"a":"`+strings.Repeat("x", 1<<20)+`"}`)
	}
	for call, body := range map[string]string{
		"PUT /apps/me/app":                        `{"env":[]}`,
		"POST /apps/me/app/cloud":                 `[{"drones":"two"}]`,
		"POST /apps/me/app/cloud ":                `[{"drones":11}]`,
		"POST /apps/me/app/cloud  ":               `[]`,
		"POST /apps/me/app/cloud   ":              `[{"provider":"joyent","datacenter":"us-east-1"}]`,
		"POST /logs/me":                           `{"rows":"ten"}`,
		"POST /logs/me/app":                       `{"from":"yesterday"}`,
		"PUT /users/me":                           `{"username":"another"}`,
		"POST /users/me/thirdparty":               `{"id":"a"}`,
		"POST /users/me/thirdparty ":              `{"id":"../a","provider":"github","token":"t"}`,
		"PUT /apps/me/app ":                       `{"subdomain":"a/b"}`,
		"PUT /apps/me/app  ":                      `{"domains":["app.localhost"]}`,
		"POST /apps/me/" + strings.Repeat("a", 8): `{"domains":"no domain"}`,
	} {
		b.refused(400, "invalid", me, strings.TrimRight(call, " "), body)
	}
	// Calls that ignore their body still limit its size.
	b.refused(400, "too_large", me, "POST /apps/me/app/stop", strings.Repeat("x", 1<<20+1))
	for _, call := range withBody()[1:3] {
		b.must(200, me, call, "") // an empty body is accepted
	}
	b.must(200, me, "POST /apps/me/app/stop", "ignored")
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	b.refused(409, "conflict", me, "POST /apps/me/app", "{}")
	b.refused(409, "conflict", you, "POST /apps/you/mine", `{"subdomain":"app"}`)
	b.refused(409, "conflict", operator, "POST /users/me", `{"password":"x"}`)
	b.refused(400, "invalid", operator, "POST /users/new", `{}`)
	var found struct{ Available, Appname, Subdomain bool }
	b.must(200, you, "POST /apps/you/mine/available", `{"subdomain":"app"}`).decode(&found)
	if found.Available || !found.Appname || found.Subdomain {
		t.Errorf("a subdomain of another user's app: %+v", found)
	}
	b.must(200, you, "POST /apps/you/mine/available", `{"subdomain":5}`).decode(&found)
	if !found.Available || !found.Appname || !found.Subdomain {
		t.Errorf("the name alone: %+v", found)
	}
}

// raw sends an incomplete call and closes the sending side. It returns the
// response, "" if the connection is closed without one.
func (b *fixture) raw(text string) string {
	b.t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(b.t.Context(), "tcp", b.server.Listener.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // read to the end
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		b.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		b.t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		b.t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(got)
}

func TestTruncatedBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	const (
		head    = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic bWU6bXkgcGFzc3dvcmQ=\r\n"
		sized   = "Content-Length: 100\r\n\r\n"
		chunked = "Transfer-Encoding: chunked\r\n\r\n"
	)
	for _, text := range []string{
		"PUT /apps/me/app" + head + sized + `{"env":{"A":"b"}}`,
		"PUT /apps/me/app" + head + chunked + "11\r\n{\"env\":{\"A\":\"b\"}}\r\n",
		"POST /apps/me/app/stop" + head + sized + "{",
	} {
		if got := b.raw(text); got != "" { // the client has gone, so it gets no response
			t.Errorf("%q: %s", text, got)
		}
	}
	for _, text := range []string{
		"PUT /apps/me/app" + head + chunked + "11\r\n{\"env\":{\"A\":\"b\"}}\r\nno chunk\r\n",
		"POST /apps/me/app/stop" + head + chunked + "no chunk\r\n",
	} {
		if got := b.raw(text); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, `"error":"incomplete"`) {
			t.Errorf("%q: %s", text, got)
		}
	}
	app := b.must(200, me, "GET /apps/me/app", "").object()["app"].(map[string]any)
	if env := app["env"].(map[string]any); len(env) != 0 {
		t.Errorf("a truncated body was applied: %v", env)
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := func(proto string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+"/endpoints", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("me", "my password")
		req.Host = "api.example.org:8443"
		if proto != "" {
			req.Header.Set("X-Forwarded-Proto", proto)
		}
		resp, err := b.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(body))
	}
	if got, want := at(""), `{"endpoints":{"webhooks":{"local":"http://api.example.org:8443"}}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := at("https"), `{"endpoints":{"webhooks":{"local":"https://api.example.org:8443"}}}`; got != want {
		t.Errorf("behind a proxy with TLS: got %s, want %s", got, want)
	}
}
