package nodejitsu_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// the meaning of an error in core.
type meaning struct {
	is    error // nil if it is not an error of core
	again bool
	after time.Duration
}

func check(t *testing.T, err error, want meaning) {
	t.Helper()
	noSecrets(t, err)
	for _, one := range []error{core.ErrUnauthorized, core.ErrForbidden, core.ErrNotFound, core.ErrConflict, core.ErrSuperseded, core.ErrGone} {
		if got := errors.Is(err, one); got != (one == want.is) { //nolint:errorlint // which of them it is
			t.Errorf("%v is %q: %v", err, one, got)
		}
	}
	after, again := core.Retryable(err)
	if again != want.again || after != want.after {
		t.Errorf("%v: again %v after %v, want %v after %v", err, again, after, want.again, want.after)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const page = "<html><body>canary: go away</body></html>"
	for _, one := range []struct {
		name   string
		status int
		header [2]string
		body   string
		text   string
		want   meaning
	}{
		{"400", 400, [2]string{}, `{"error":"invalid","message":"No such field"}`, "No such field", meaning{}},
		{"401", 401, [2]string{}, `{"error":"unauthorized","message":"Who are you?"}`, "Who are you?", meaning{is: core.ErrUnauthorized}},
		{"401 page", 401, [2]string{}, page, "401 Unauthorized", meaning{is: core.ErrUnauthorized}},
		{"403", 403, [2]string{}, `{"error":"forbidden"}`, "forbidden", meaning{is: core.ErrForbidden}},
		{"404", 404, [2]string{}, `{"error":"not_found"}`, "not found", meaning{is: core.ErrNotFound}},
		{"404 nothing", 404, [2]string{}, ``, "404 Not Found", meaning{is: core.ErrNotFound}},
		{"408", 408, [2]string{}, ``, "408 Request Timeout", meaning{again: true}},
		{"409", 409, [2]string{}, `{"error":"conflict","message":"It is taken"}`, "It is taken", meaning{}},
		{"409 out of order", 409, [2]string{}, `{"error":"superseded","message":"A later one","code":"platform:app:superseded"}`, "A later one", meaning{is: core.ErrSuperseded}},
		{"429", 429, [2]string{}, `{"error":"slow_down"}`, "slow down", meaning{again: true}},
		{"429 seconds", 429, [2]string{"Retry-After", "7"}, ``, "429 Too Many Requests", meaning{again: true, after: 7 * time.Second}},
		{"429 date", 429, [2]string{"Retry-After", "Mon, 06 May 2013 07:08:39 GMT"}, page, "429 Too Many Requests", meaning{again: true, after: 30 * time.Second}},
		{"429 past", 429, [2]string{"Retry-After", "Mon, 06 May 2013 07:00:00 GMT"}, ``, "429 Too Many Requests", meaning{again: true}},
		{"429 years", 429, [2]string{"Retry-After", "4000000000"}, ``, "429 Too Many Requests", meaning{again: true, after: time.Hour}},
		{"429 years by date", 429, [2]string{"Retry-After", "Mon, 06 May 2033 07:00:00 GMT"}, ``, "429 Too Many Requests", meaning{again: true, after: time.Hour}},
		{"429 negative", 429, [2]string{"Retry-After", "-7"}, ``, "429 Too Many Requests", meaning{again: true}},
		{"429 nonsense", 429, [2]string{"Retry-After", "soon"}, ``, "429 Too Many Requests", meaning{again: true}},
		{"500", 500, [2]string{}, ``, "500 Internal Server Error", meaning{again: true}},
		{"500 page", 500, [2]string{}, page, "500 Internal Server Error", meaning{again: true}},
		{"500 of the platform", 500, [2]string{}, `{"error":"internal_error","message":"It failed"}`, "It failed", meaning{again: true}},
		{"500 of the app", 500, [2]string{}, `{"error":"start_failed","message":"It never listened"}`, "It never listened", meaning{}},
		{"500 of the app, unnamed", 500, [2]string{}, `{"message":"Cannot start application with no snapshots"}`, "Cannot start application with no snapshots", meaning{}},
		{"500 of other types", 500, [2]string{}, `{"error":{"code":1},"message":["canary"]}`, "500 Internal Server Error", meaning{again: true}},
		{"502", 502, [2]string{}, page, "502 Bad Gateway", meaning{again: true}},
		{"503", 503, [2]string{"Retry-After", "5"}, `{"error":"busy","message":"Too much to do"}`, "Too much to do", meaning{again: true, after: 5 * time.Second}},
		{"504", 504, [2]string{}, page, "504 Gateway Timeout", meaning{again: true}},
		{"501", 501, [2]string{"Retry-After", "5"}, page, "501 Not Implemented", meaning{}},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", "Mon, 06 May 2013 07:08:09 GMT")
				if one.header[0] != "" {
					w.Header().Set(one.header[0], one.header[1])
				}
				w.WriteHeader(one.status)
				_, _ = io.WriteString(w, one.body)
			})
			_, err := newClient(t, a.URL).App(t.Context(), "maciej", "a")
			check(t, err, one.want)
			if got, want := err.Error(), "nodejitsu: read app: "+one.text; got != want {
				t.Errorf("error %q, want %q", got, want)
			}
			refused, ok := errors.AsType[*nodejitsu.Error](err)
			if !ok || refused.Status != one.status || refused.Doing != "read app" {
				t.Errorf("%+v of %d", refused, one.status)
			}
		})
	}
}

// Each call returns a refusal as an error, without credentials.
func TestRefusalOfEachCall(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusUnauthorized, "unauthorized", "No") })
	c := newClient(t, a.URL)
	for _, one := range calls() {
		_, err := one.do(t.Context(), c)
		check(t, err, meaning{is: core.ErrUnauthorized})
		if !strings.HasSuffix(err.Error(), ": No") {
			t.Errorf("%s: %v", one.name, err)
		}
	}
}

// Following a redirect would send credentials and bodies elsewhere.
func TestNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := newAPI(t, answers(nil))
	for _, status := range []int{301, 302, 303, 307, 308} {
		a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.RequestURI, status)
		})
		for _, client := range []*nodejitsu.Client{
			newClient(t, a.URL),
			nodejitsu.New(nodejitsu.Options{
				Endpoint: func() string { return a.URL }, Username: "maciej",
				Password: func() core.Secret { return password }, HTTP: a.Client(),
			}),
		} {
			for _, one := range calls() {
				_, err := one.do(t.Context(), client)
				check(t, err, meaning{})
				if refused, ok := errors.AsType[*nodejitsu.Error](err); !ok || refused.Status != status {
					t.Errorf("%d: %s: %v", status, one.name, err)
				}
			}
		}
	}
	if got := elsewhere.lines(); got != "" {
		t.Errorf("elsewhere got %s", got)
	}
}

// New does not change the caller's http.Client.
func TestOptionsHTTPIsUnchanged(t *testing.T) {
	t.Parallel()
	given := &http.Client{}
	nodejitsu.New(nodejitsu.Options{HTTP: given})
	if given.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
}

func TestInvalidResponses(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"page":  "<!doctype html><title>canary</title>",
		"cut":   `{"app":{"name":"a"`,
		"other": `{"app":"canary"}`,
		"field": `{"app":{"drones":"canary"}}`,
		"list":  `["canary"]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
			_, err := newClient(t, a.URL).App(t.Context(), "maciej", "a")
			check(t, err, meaning{})
		})
	}
}

func TestAnswerTooLarge(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		spaces := []byte(strings.Repeat(" ", 1<<20))
		for range 33 {
			if _, err := w.Write(spaces); err != nil {
				return
			}
		}
	})
	_, err := newClient(t, a.URL).App(t.Context(), "maciej", "a")
	check(t, err, meaning{})
	if !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
}

// Network failures are temporary.
func TestNetworkFailure(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	client, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for name, url := range map[string]string{
		"not listening":   "http://" + client.LocalAddr().String(),
		"truncated":       raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
		"truncated chunk": raw(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"app"),
		"empty":           raw(t, ""),
		"is not HTTP":     raw(t, "SSH-2.0-canary\r\n"),
		"no TLS":          strings.Replace(raw(t, "HTTP/1.0 400 Bad Request\r\n\r\n"), "http:", "https:", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, url)
			_, err := c.App(t.Context(), "maciej", "a")
			if err == nil || strings.Contains(err.Error(), "canary pässword") {
				t.Fatal(err)
			}
			if _, again := core.Retryable(err); !again {
				t.Errorf("not temporary: %v", err)
			}
			err = c.UploadSnapshot(t.Context(), "maciej", "a", "1", "", strings.NewReader("a tgz"), io.Discard)
			if _, again := core.Retryable(err); !again {
				t.Errorf("not temporary: %v", err)
			}
			if strings.Contains(err.Error(), "://") || strings.Contains(err.Error(), password.Reveal()) {
				t.Errorf("contains a URL or a password: %v", err)
			}
		})
	}
}

// raw answers each connection with answer, once it has read a request's header.
func raw(t *testing.T, answer string) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil || answer != "" {
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-served })
	return "http://" + listener.Addr().String()
}

func TestInvalidURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"localhost:8001", "127.0.0.1:8001", "ftp://localhost", "http://", "http://a b", "https:/localhost",
		"http://maciej:canary@localhost:x", "http://localhost/?a=b", "http://localhost#a", "/",
	} {
		_, err := newClient(t, url).App(t.Context(), "maciej", "a")
		if err == nil {
			t.Fatalf("%q is accepted", url)
		}
		if _, again := core.Retryable(err); again || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// An embedded platform has no URL until it runs.
func TestPlatformNotStarted(t *testing.T) {
	t.Parallel()
	_, err := newClient(t, "").App(t.Context(), "maciej", "a")
	check(t, err, meaning{again: true})
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	come := make(chan struct{}, 1)
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		come <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(over) })
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := newClient(t, server.URL).App(ctx, "maciej", "a")
		failed <- err
	}()
	<-come
	cancel()
	err := <-failed
	check(t, err, meaning{})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}

	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	_, err = newClient(t, server.URL).App(late, "maciej", "a")
	check(t, err, meaning{again: true})
}

// Connections are reused, also after a refusal.
func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	opened := make(chan struct{}, 100)
	server := httptest.NewUnstartedServer(answers(map[string]string{"GET /apps/maciej/a": `{"app":{}}`}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened <- struct{}{}
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := newClient(t, server.URL)
	for range 5 {
		if _, err := c.App(t.Context(), "maciej", "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.App(t.Context(), "maciej", "b"); !errors.Is(err, core.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if got := len(opened); got != 1 {
		t.Errorf("%d connections for calls one after the other", got)
	}
}
