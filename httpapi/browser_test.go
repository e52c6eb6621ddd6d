package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
)

// pages is a dashboard where user is signed in.
type pages struct{ user string }

func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte(r.Method + " " + r.URL.Path + "\n"))
}

func (p pages) User(*http.Request) (string, error) { return p.user, nil }

// A browser gets pages; for other clients / is where deliveries are posted.
func TestBrowser(t *testing.T) {
	t.Parallel()
	failed := changeOf(core.StatusError)
	failed.Entry.Error = &core.EntryError{Code: core.CodeStartApp, Reason: "it did not start"}
	api := newAPI(t, func(o *httpapi.Options) {
		o.Dashboard = pages{}
		o.Deploy = fakeDeploy{deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
			return deploy.Receipt{Change: failed}, nil
		}}
	})
	const html = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
	for _, c := range []struct {
		method, path, accept string
		code                 int
		body                 string
	}{
		{"GET", "/", html, 200, "GET /\n"},
		{"GET", "/-/history", html, 200, "GET /-/history\n"},
		{"POST", "/-/sign-in", html, 200, "POST /-/sign-in\n"},
		{"GET", "/", "Accept: */*", 405, ""},
		{"POST", "/", html, 500, ""}, // the delivery
		{"GET", "/-/feed", "Accept: text/event-stream", 401, ""},
		{"GET", "/1/deploy", html, 405, ""},
	} {
		w := serve(api, request(t, c.method, c.path, "{}", c.accept, as("dscape")))
		if w.Code != c.code || c.body != "" && w.Body.String() != c.body {
			t.Errorf("%s %s, %s: got %d %s, want %d", c.method, c.path, c.accept, w.Code, w.Body, c.code)
		}
		if c.code == 405 && c.path == "/" && w.Header().Get("Allow") != "POST" {
			t.Errorf("Allow is %q", w.Header().Get("Allow"))
		}
	}
	var body struct{ URL string }
	w := serve(api, request(t, "POST", "/", "{}", as("dscape"), "Host: hooks.example.com"))
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.URL != "http://hooks.example.com/-/entries/"+entryID {
		t.Errorf("the error leads to %q, %v", body.URL, err)
	}
}

// The session of a browser is enough for the feed of its user.
func TestFeedOfABrowser(t *testing.T) {
	t.Parallel()
	l := &changeLog{}
	l.add(1, core.StatusOK, nil)
	s := feedOver(t, l, status.Options{})
	_, url := started(t, newAPI(t, func(o *httpapi.Options) { o.Status, o.Dashboard = s, pages{user: "dscape"} }))
	response := get(t, url+"/-/feed?since=0&feed=normal")
	if response.StatusCode != http.StatusOK {
		t.Errorf("got %d", response.StatusCode)
	}
}
