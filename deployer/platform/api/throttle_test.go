package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// from makes a call with credentials and headers.
func (b *fixture) from(who string, headers map[string]string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.server.URL+"/auth", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	username, password, _ := strings.Cut(who, ":")
	req.SetBasicAuth(username, password)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		b.t.Fatal(err)
	}
	return resp
}

func TestFailedLoginsAreThrottled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 10 {
		if resp := b.from("me:wrong", map[string]string{"X-Forwarded-For": "198.51.100.1"}); resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("try %d: %s", i, resp.Status)
		}
	}
	for _, who := range []string{"me:wrong", me, b.token} {
		resp := b.from(who, map[string]string{"X-Forwarded-For": "198.51.100.2"}) // not trusted
		after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if resp.StatusCode != http.StatusTooManyRequests || err != nil || after < 1 || after > 60 {
			t.Errorf("then %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
		}
	}
	if resp := b.from(you, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("another user: %s", resp.Status)
	}
	if resp := b.from(operator, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the operator: %s", resp.Status)
	}

	// One of our servers throttles clients itself, or sends their address.
	if resp := b.from(me, map[string]string{"X-Webhooks-Key": "the key"}); resp.StatusCode != http.StatusOK {
		t.Errorf("by a server: %s", resp.Status)
	}
	if resp := b.from(me, map[string]string{"X-Webhooks-Key": "the keys"}); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("with a wrong key: %s", resp.Status)
	}
	branch := map[string]string{"X-Webhooks-Key": "the key", "X-Forwarded-For": "203.0.113.1, 198.51.100.3"}
	for i := range 10 {
		if resp := b.from("me:wrong", branch); resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("for a client, try %d: %s", i, resp.Status)
		}
	}
	if resp := b.from(me, branch); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("for a client: %s", resp.Status)
	}
}
