package httpapi_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi"
)

// The badge shows the newest deployment of the repository. What is private looks
// like what does not exist.
func TestBadge(t *testing.T) {
	t.Parallel()
	entry := func(repository string, kind core.EventKind, status core.Status) core.Entry {
		return core.Entry{Repository: core.Repository{Name: repository, Private: repository == "secret"}, Kind: kind, Status: status}
	}
	entries := []core.Entry{
		entry("hello", core.EventPing, core.StatusOK),
		entry("hello", core.EventPush, core.StatusIgnored),
		entry("hello", core.EventPush, core.StatusHeld),
		entry("Hello", core.EventPush, core.StatusError),
		entry("hello", core.EventPush, core.StatusOK),
		entry("blog", core.EventPush, core.StatusPending),
		entry("site", core.EventPush, core.StatusOK),
		entry("secret", core.EventPush, core.StatusOK),
	}
	lists := 0
	api := newAPI(t, func(o *httpapi.Options) {
		o.Status = fakeStatus{list: func(user, _ string, skip, limit int) ([]core.Entry, int, error) {
			lists++
			switch {
			case user == "broken":
				return nil, 0, core.NewError(core.CodeStatusQueryFail, "", errors.New("down"))
			case user != "dscape":
				return nil, 0, nil
			}
			return entries[min(skip, len(entries)):min(skip+limit, len(entries))], len(entries), nil
		}}
	})
	for path, want := range map[string]string{
		"/dscape/hello.svg": "failed", "/dscape/HELLO.svg": "failed", "/dscape/blog.svg": "deploying", "/dscape/site.svg": "deployed",
		"/dscape/secret.svg": "unknown", "/dscape/nothing.svg": "unknown", "/indexzero/hello.svg": "unknown",
	} {
		w := serve(api, request(t, "GET", path, ""))
		if w.Code != 200 || !strings.Contains(w.Body.String(), ">"+want+"</text>") || w.Header().Get("Content-Type") != "image/svg+xml" {
			t.Errorf("%s: %d %s, want %s", path, w.Code, w.Body, want)
		}
		tag := w.Header().Get("ETag")
		again := serve(api, request(t, "GET", path, "", "If-None-Match: "+tag))
		if tag == "" || again.Code != 304 || again.Body.Len() > 0 || again.Header().Get("ETag") != tag {
			t.Errorf("%s: with its tag %q: %d", path, tag, again.Code)
		}
	}
	asked := lists
	if w := serve(api, request(t, "GET", "/dscape/site.png", "")); w.Code != 200 || w.Header().Get("Content-Type") != "image/png" || lists != asked {
		t.Errorf("as PNG: %d %v after %d lists", w.Code, w.Header(), lists-asked)
	}
	unknown, private := serve(api, request(t, "GET", "/dscape/nothing.svg", "")), serve(api, request(t, "GET", "/dscape/secret.svg", ""))
	if unknown.Body.String() != private.Body.String() || unknown.Header().Get("ETag") != private.Header().Get("ETag") {
		t.Error("the badge of a private repository differs from that of none")
	}
	for asked, code := range map[string]int{
		"GET /broken/x.svg": 500, "GET /dscape/hello": 404, "GET /dscape/hello.gif": 404, "GET /-x/hello.svg": 404, "POST /dscape/hello.svg": 404,
		"GET /dscape/a/b.svg": 404, "POST /2/deploy": 404, "GET /dscape/.svg": 404,
	} {
		method, path, _ := strings.Cut(asked, " ")
		if w := serve(api, request(t, method, path, "")); w.Code != code {
			t.Errorf("%s: %d, want %d", asked, w.Code, code)
		}
	}
}
