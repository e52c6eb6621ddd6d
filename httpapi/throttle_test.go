package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/httpapi"
	server "github.com/nodejitsu/webhooks/httpapi/serve"
)

// A client that guesses passwords is throttled on every route; others are not.
func TestLoginsAreThrottled(t *testing.T) {
	t.Parallel()
	const right = "Authorization: Basic ZHNjYXBlOmh1bnRlcjItY2FuYXJ5" // dscape, the one password
	const wrong = "Authorization: Basic ZHNjYXBlOnB1cnBsZQ=="         // dscape:purple
	var log records
	api := newAPI(t, func(o *httpapi.Options) {
		o.Logger = log.logger()
		o.Proxies = server.Proxies{netip.MustParsePrefix("192.0.2.0/24")} // the address of net/http/httptest
		o.Status = fakeStatus{list: func(string, string, int, int) ([]core.Entry, int, error) { return nil, 0, nil }}
		o.Deploy = fakeDeploy{deliver: func(_ context.Context, r deploy.Request) (deploy.Receipt, error) {
			if r.Credentials.Password.Reveal() != secret {
				return deploy.Receipt{}, core.NewError(core.CodeBadCreds, "", nil)
			}
			return deploy.Receipt{}, core.NewError(core.CodeProviderNotSupported, "", nil)
		}}
	})
	call := func(route int, address string, headers ...string) int {
		t.Helper()
		method, target, body := "GET", "/1/status/dscape/webhooks", ""
		switch route % 3 {
		case 1:
			method, target, body = "POST", "/1/deploy", `{"payload":{}}`
		case 2:
			method, target, body = "POST", "/1/auth/github", "{}"
		}
		w := serve(api, request(t, method, target, body, append(headers, "Content-Type: application/json", "X-Forwarded-For: "+address)...))
		if w.Code == http.StatusTooManyRequests {
			if after, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || after < 1 || after > 60 {
				t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
			}
		}
		return w.Code
	}
	for i := range 10 {
		if code := call(i, "198.51.100.1", wrong); code != http.StatusUnauthorized {
			t.Fatalf("try %d: %d", i, code)
		}
	}
	for i := range 3 {
		if code := call(i, "198.51.100.1", wrong); code != http.StatusTooManyRequests {
			t.Errorf("route %d: %d after 10 wrong passwords", i, code)
		}
		if code := call(i, "198.51.100.1", right); code != http.StatusTooManyRequests {
			t.Errorf("route %d: %d for the right password, want 429", i, code)
		}
	}
	if code := call(0, "198.51.100.2", right); code != http.StatusOK {
		t.Errorf("another address: %d", code)
	}
	if code := call(1, "198.51.100.2", right); code != http.StatusBadRequest {
		t.Errorf("another address: %d", code)
	}
	// There is one log line, regardless of the number of refused requests.
	if text := log.String(); strings.Count(text, "logins throttled") != 1 || strings.Contains(text, `"status":429`) {
		t.Errorf("got log %s", text)
	}
	// An address that the client sends itself is not trusted.
	if code := call(0, "198.51.100.9, 198.51.100.1", wrong); code != http.StatusTooManyRequests {
		t.Errorf("a forged address: %d", code)
	}
	// Failures of the server do not count as wrong passwords.
	for i := range 20 {
		down := fmt.Sprintf("Authorization: Basic %s", "ZG93bjp4") // down:x
		if code := call(0, "198.51.100.3", down); code != http.StatusInternalServerError {
			t.Fatalf("try %d: %d", i, code)
		}
	}
}
