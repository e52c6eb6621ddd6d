package api_test

import (
	"encoding/base64"
	"io"
	"net"
	"strings"
	"testing"
)

// A request with two credentials is refused.
func TestTwoAuthorizations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	basic := func(credentials string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(credentials)) + "\r\n"
	}
	const head, end = "GET /apps/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", "\r\n"
	for text, want := range map[string]string{
		head + basic(me) + end:                                "HTTP/1.1 200 ",
		head + basic(me) + basic(you) + end:                   "HTTP/1.1 401 ",
		head + basic(you) + basic(me) + end:                   "HTTP/1.1 401 ",
		head + basic(me) + "authorization: x\r\n" + end:       "HTTP/1.1 401 ",
		head + basic("me:my password\r\nX: y") + end:          "HTTP/1.1 401 ",
		head + basic("me\x00:my password") + end:              "HTTP/1.1 401 ",
		head + basic("../me:my password") + end:               "HTTP/1.1 401 ",
		head + basic(strings.Repeat("m", 30<<10)+":x") + end:  "HTTP/1.1 401 ",
		head + basic("me:"+strings.Repeat("m", 30<<10)) + end: "HTTP/1.1 401 ",
	} {
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", b.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(got), want) {
			t.Errorf("%.200q: %.300q (%v), want %q", text, got, err, want)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Bodies that are expensive or ambiguous are refused or harmless.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.app("app")
	deep := strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)
	for name, body := range map[string]string{
		"deep":                      `{"a":` + deep + `}`,
		"deep, in known fields":     `{"env":` + deep + `,"rows":` + deep + `,"token":` + deep + `,"email":` + deep + `}`,
		"never closed":              strings.Repeat(`{"env":`, 100_000),
		"a byte order mark":         "\ufeff{}",
		"NUL":                       "{\"env\":{\"a\x00\":\"b\"}}",
		"a number too large":        `{"rows":1e999999,"drones":1e999999,"env":1e999999}`,
		"an integer beyond 64 bits": `{"rows":` + strings.Repeat("9", 1000) + `}`,
		"UTF-16":                    "\xff\xfe{\x00}\x00",
	} {
		for _, call := range withBody() {
			if got := b.call(me, call, body); got.status >= 500 || len(got.body) > 10_000 {
				t.Errorf("%s, %s: got %d %.300s", name, call, got.status, got.body)
			}
		}
	}
	for name, env := range map[string]string{
		"NUL in a name":    `{"env":{"A\u0000B":"c"}}`,
		"NUL in a value":   `{"env":{"A":"b\u0000C=d"}}`,
		"= in a name":      `{"env":{"A=B":"c"}}`,
		"an empty name":    `{"env":{"":"c"}}`,
		"an object as one": `{"env":{"A":{"b":"c"}}}`,
		"not an object":    `{"env":"A=b"}`,
	} {
		got := b.call(me, "PUT /apps/me/app", env)
		if got.status >= 500 {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
		var found struct {
			App struct{ Env map[string]string }
		}
		b.must(200, me, "GET /apps/me/app", "").decode(&found)
		if got.status >= 400 && len(found.App.Env) > 0 {
			t.Errorf("%s: refused but stored: %v", name, found.App.Env)
		}
		for key, value := range found.App.Env {
			if strings.ContainsAny(key+value, "\x00") || strings.Contains(key, "=") || key == "" {
				t.Errorf("%s: stored %q=%q", name, key, value)
			}
		}
	}
	if strings.Contains(b.log.String(), "panic") {
		t.Error(b.log)
	}
}
