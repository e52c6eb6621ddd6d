package router_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A client of a sticky app gets an id, once, and is sent to its drone by it.
func TestSticky(t *testing.T) {
	t.Parallel()
	answer := func(text string) string {
		return drone(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "app=1")
			_, _ = io.WriteString(w, text)
		})
	}
	f := setup(t, answer("zero"), answer("one"))
	ask := func(cookie string) (body string, cookies []*http.Cookie) {
		t.Helper()
		req := f.request(http.MethodGet, "app.example", "/", nil)
		if cookie != "" {
			req.Header.Set("Cookie", cookie)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return string(text), resp.Cookies()
	}
	if _, cookies := ask(""); len(cookies) != 1 {
		t.Errorf("an app that is not sticky sets %v", cookies)
	}
	f.sticky = true
	want, cookies := ask("a=b")
	if len(cookies) != 2 || cookies[1].Name != "webhooks-client" || cookies[1].Path != "/" || !cookies[1].HttpOnly || cookies[1].Secure || len(cookies[1].Value) < 16 {
		t.Fatalf("cookies %v", cookies)
	}
	for range 3 {
		if got, again := ask("a=b; webhooks-client=" + cookies[1].Value); got != want || len(again) != 1 {
			t.Errorf("then %q answers with %v, want %q", got, again, want)
		}
	}
	for cookie, want := range map[string]string{"webhooks-client=ab": "zero", "webhooks-client=abc": "one"} {
		if got, _ := ask(cookie); got != want {
			t.Errorf("%s: got %q, want %q", cookie, got, want)
		}
	}
	if _, cookies := ask("webhooks-client=" + strings.Repeat("x", 100)); len(cookies) != 2 {
		t.Errorf("an id that is too long is used: %v", cookies)
	}
}
