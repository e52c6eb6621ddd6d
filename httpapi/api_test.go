package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
	server "github.com/nodejitsu/webhooks/httpapi/serve"
)

// Every address answers in both spellings, itself, and with our headers.
func TestRoutes(t *testing.T) {
	t.Parallel()
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{
			deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
				return deploy.Receipt{Change: changeOf(core.StatusOK)}, nil
			},
			release: func(string, string) (core.Change, error) { return changeOf(core.StatusPending), nil },
		}
		o.Status = fakeStatus{
			list:  func(string, string, int, int) ([]core.Entry, int, error) { return nil, 0, nil },
			entry: func(string, string) (core.Change, error) { return changeOf(core.StatusOK), nil },
		}
		o.Auth = fakeAuth{pair: func(string, auth.Pair) (auth.Pairing, error) { return auth.Pairing{}, nil }}
	})
	cases := []struct {
		method, path string
		want         int
	}{
		{"POST", "/", 200},
		{"POST", "/1/deploy", 200},
		{"GET", "/1/status/dscape/webhooks", 200},
		{"GET", "/1/status/dscape/webhooks/hello", 200},
		{"GET", "/1/status/dscape/changes", 500}, // the fake has no feed
		{"GET", "/1/status/dscape/changes/" + entryID, 200},
		{"POST", "/1/status/dscape/changes/" + entryID + "/release", 202},
		{"POST", "/1/auth/github", 200},
		{"GET", "/healthz", 200},
		{"GET", "/readyz", 200},

		{"GET", "/2/deploy", 404},
		{"POST", "/1", 404},
		{"GET", "/1/status/dscape", 404},
		{"GET", "/1/status//changes", 401}, // no such user
		{"GET", "/1/status/dscape%2fx/webhooks", 404},
		{"GET", "/1/deploy", 405},
		{"GET", "/", 405},
		{"DELETE", "/1/status/dscape/webhooks", 405},
		{"HEAD", "/1/deploy", 405},
		{"HEAD", "/", 405},
		{"OPTIONS", "/1/auth/github", 405},
		{"FROB", "/healthz", 405},
	}
	for _, c := range cases {
		if c.method == "GET" && c.want != 405 {
			head := c
			head.method = "HEAD"
			cases = append(cases, head)
		}
	}
	for _, c := range cases {
		for _, slash := range []string{"", "/"} {
			path := c.path
			if path != "/" {
				path += slash
			}
			w := serve(api, request(t, c.method, path, `{}`, as("dscape")))
			if w.Code != c.want {
				t.Errorf("%s %s: got %d %s, want %d", c.method, path, w.Code, w.Body, c.want)
			}
			h := w.Header()
			if h.Get("X-Api-Uuid") != uuid || h.Get("X-Api-Version") != "1.0.0" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %s: headers are %v", c.method, path, h)
			}
			if !strings.HasSuffix(w.Body.String(), "\n") || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %s: the body is no JSON with a newline: %q", c.method, path, w.Body)
			}
		}
	}
}

func TestNotAllowed(t *testing.T) {
	t.Parallel()
	api := newAPI(t, nil)
	golden(t, "unknown route", whole(serve(api, request(t, "GET", "/nowhere?token="+secret, ""))))
	golden(t, "wrong method", whole(serve(api, request(t, "GET", "/1/deploy", ""))))
	w := serve(api, request(t, "POST", "/healthz", ""))
	if got := w.Header().Get("Allow"); got != "GET, HEAD" && got != "HEAD, GET" {
		t.Errorf("Allow is %q, want GET and HEAD", got)
	}
}

// A warning is in the answer, and does not make the service unready.
func TestReadyWithWarning(t *testing.T) {
	t.Parallel()
	api := newAPI(t, func(o *httpapi.Options) { o.Warnings = func() []string { return []string{"The clock is wrong."} } })
	w := serve(api, request(t, "GET", "/readyz", ""))
	if w.Code != 200 || w.Body.String() != "{\"ok\":true,\"warnings\":[\"The clock is wrong.\"]}\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	var fail error
	api := newAPI(t, func(o *httpapi.Options) { o.Ready = func(context.Context) error { return fail } })
	if w := serve(api, request(t, "GET", "/readyz", "")); w.Code != 200 || w.Body.String() != "{\"ok\":true}\n" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
	fail = errors.New("no store")
	w := serve(api, request(t, "GET", "/readyz", ""))
	if w.Code != 503 || strings.Contains(w.Body.String(), "no store") {
		t.Errorf("got %d %q, want 503 without the cause", w.Code, w.Body)
	}
	fail = nil
	api.Drain(t.Context(), 0)
	if w := serve(api, request(t, "GET", "/readyz", "")); w.Code != 503 {
		t.Errorf("after Drain: %d, want 503", w.Code)
	}
	if w := serve(api, request(t, "GET", "/healthz", "")); w.Code != 200 {
		t.Errorf("after Drain it is not even alive: %d", w.Code)
	}
}

func TestBase(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, configured string
		headers          []string
		remote           string
		want             string
	}{
		{name: "the host that the client used", headers: []string{"Host: webhooks.example:8080"}, want: "http://webhooks.example:8080"},
		{name: "an IPv6 address", headers: []string{"Host: [::1]:80"}, want: "http://[::1]:80"},
		{name: "a host that could break out", headers: []string{`Host: a"<b>`}, want: "http://localhost"},
		{name: "no host", headers: []string{"Host: "}, want: "http://localhost"},
		{name: "behind a proxy", headers: []string{"Host: h", "X-Forwarded-Proto: https"}, remote: "10.1.2.3:99", want: "https://h"},
		{name: "behind two", headers: []string{"Host: h", "X-Forwarded-Proto: http, HTTPS"}, remote: "10.1.2.3:99", want: "https://h"},
		{name: "behind one that adds another header", headers: []string{"Host: h", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http"}, remote: "10.1.2.3:99", want: "http://h"},
		{name: "an untrusted proxy", headers: []string{"Host: h", "X-Forwarded-Proto: https"}, remote: "11.1.2.3:99", want: "http://h"},
		{name: "an invalid scheme", headers: []string{"Host: h", "X-Forwarded-Proto: javascript"}, remote: "10.1.2.3:99", want: "http://h"},
		{name: "configured", configured: "https://webhooks.example/", headers: []string{"Host: other"}, want: "https://webhooks.example"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			api := newAPI(t, func(o *httpapi.Options) {
				o.BaseURL, o.Proxies = c.configured, server.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
				o.Status = fakeStatus{entry: func(string, string) (core.Change, error) { return changeOf(core.StatusOK), nil }}
			})
			r := request(t, "GET", "/1/status/dscape/changes/"+entryID, "", append(c.headers, as("dscape"))...)
			if c.remote != "" {
				r.RemoteAddr = c.remote
			}
			var got struct{ ID string }
			w := serve(api, r)
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			secure := c.configured == "" && strings.HasPrefix(c.want, "https:")
			if got := w.Header().Get("Strict-Transport-Security"); (got != "") != secure {
				t.Errorf("Strict-Transport-Security is %q", got)
			}
			if want := c.want + "/1/status/dscape/changes/" + entryID; got.ID != want {
				t.Errorf("id is %q, want %q", got.ID, want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for base, valid := range map[string]bool{
		"": true, "http://localhost:8080": true, "https://webhooks.example/": true,
		"webhooks.example": false, "ftp://h": false, "https://h/path": false, "https://user:pass@h": false, "https://h?x": false, "https://": false, ":": false,
	} {
		err := newAPI(t, func(o *httpapi.Options) { o.BaseURL = base }).Validate()
		if (err == nil) != valid {
			t.Errorf("base URL %q: %v", base, err)
		}
	}
}

// A panic is answered with an error response, and the log contains the panic but
// not the request.
func TestPanic(t *testing.T) {
	t.Parallel()
	var log records
	api := newAPI(t, func(o *httpapi.Options) {
		o.Logger = log.logger()
		o.Deploy = fakeDeploy{deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) { panic("out of cheese") }}
	})
	golden(t, "panic", whole(serve(api, request(t, "POST", "/?user="+secret, "{}", as("dscape")))))
	text := log.String()
	if !strings.Contains(text, "out of cheese") || !strings.Contains(text, "fakes_test.go") || !strings.Contains(text, uuid) {
		t.Errorf("the log does not contain the panic: %s", text)
	}
}

// brokenLog is a change log that panics after its first change.
type brokenLog struct{ *changeLog }

func (l brokenLog) Changes(ctx context.Context, user string, since core.Seq, limit int) ([]core.EncodedChange, error) {
	if since.Millis == 1 {
		panic("out of cheese")
	}
	return l.changeLog.Changes(ctx, user, since, limit)
}

// A response that has begun must not end as if it were complete.
func TestPanicInTheMiddle(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	for n := range uint64(3) {
		l.add(n+1, core.StatusOK, nil)
	}
	s := feedOver(t, brokenLog{l}, status.Options{Batch: 1})
	_, url := started(t, newAPI(t, func(o *httpapi.Options) { o.Status = s }))
	response := get(t, url+"/1/status/dscape/changes?since=0&feed=normal")
	text, err := io.ReadAll(response.Body)
	if err == nil {
		t.Errorf("got %q without an error", text)
	}
	if response.StatusCode != http.StatusOK {
		t.Errorf("got status %d, want 200", response.StatusCode)
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	var log records
	api := newAPI(t, func(o *httpapi.Options) {
		o.Logger = log.logger()
		o.Status = fakeStatus{entry: func(string, string) (core.Change, error) {
			return core.Change{}, core.NewError(core.CodeStatusGetByID, "", errors.New("disk on fire"))
		}}
	})
	serve(api, request(t, "GET", "/1/status/dscape/changes/"+entryID+"?q="+secret, "", as("dscape"), "X-Forwarded-For: 6.6.6.6"))
	serve(api, request(t, "GET", "/1/status/"+secret+"/changes/?q="+secret, "", "Authorization: Bearer "+secret))
	serve(api, request(t, secret, "/"+secret, ""))
	text := log.String()
	if strings.Contains(text, secret) || strings.Contains(text, "Basic") {
		t.Errorf("the log contains a secret: %s", text)
	}
	for _, want := range []string{
		`"route":"/1/status/:user/changes/:id"`, `"status":500`, `"uuid":"` + uuid + `"`, `"user":"dscape"`,
		`"code":"status:db:get_by_id"`, `"client_ip":"192.0.2.1"`, `"error":"disk on fire"`, `"status":401`, `"status":404`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not contain %s: %s", want, text)
		}
	}
}
