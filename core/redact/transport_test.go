package redact_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

const secret = "ghp_16C7e42F292c6912"

// ways are the ways in which a request sends the secret.
func ways() map[string]func(*http.Request) {
	return map[string]func(*http.Request){
		"Bearer":    func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) },
		"Basic":     func(r *http.Request) { r.SetBasicAuth("dscape", secret) },
		"token":     func(r *http.Request) { r.Header.Set("Private-Token", secret) },
		"signature": func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", "sha256="+secret) },
		"query":     func(r *http.Request) { r.URL.RawQuery = url.Values{"access_token": {secret}}.Encode() },
		"userinfo":  func(r *http.Request) { r.URL.User = url.UserPassword("dscape", secret) },
		"body": func(r *http.Request) {
			*r = *r.WithContext(redact.With(redact.With(r.Context(), core.NewSecret("another")), core.NewSecret(secret)))
			r.Body = io.NopCloser(strings.NewReader(secret))
		},
	}
}

func newRequest(ctx context.Context, t *testing.T, address string, change func(*http.Request)) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	change(req)
	return req
}

func leaks(text string) bool {
	return strings.Contains(text, secret) || strings.Contains(text, "ZHNjYXBlOm")
}

func TestTransportCleansARefusalThatRepeatsTheRequest(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dump, err := httputil.DumpRequest(r, true)
		if err != nil {
			t.Error(err)
		}
		// As in a header no line may end.
		w.Header().Set("X-Debug", strings.ReplaceAll(string(dump), "\r\n", " "))
		w.Header().Set("Location", "/?token=x")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write(dump)
	}))
	t.Cleanup(server.Close)
	client := http.Client{Transport: &redact.Transport{Next: http.DefaultTransport}}
	t.Cleanup(client.CloseIdleConnections)
	resp, err := client.Do(newRequest(t.Context(), t, server.URL, func(r *http.Request) { r.Header.Set("Authorization", "Bearer token") }))
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.Header.Get("Location") != "/?token=x" {
		t.Errorf("the address of a redirect became %q, %v", resp.Header.Get("Location"), err)
	}
	for way, change := range ways() {
		resp, err := client.Do(newRequest(t.Context(), t, server.URL, change))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if closeErr := resp.Body.Close(); err != nil || closeErr != nil {
			t.Fatal(err, closeErr)
		}
		all := fmt.Sprint(resp.Status, resp.Header, string(body))
		if leaks(all) || !strings.Contains(all, "***") || !strings.Contains(string(body), "POST /") {
			t.Errorf("%s: got %s", way, all)
		}
	}
}

func TestTransportCleansAnAnswerThatIsNotHTTP(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() { // an echo server
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			request := make([]byte, 64<<10)
			n, _ := conn.Read(request)
			// The error quotes what is not a status line.
			_, after, _ := strings.Cut(string(request[:n]), "Authorization: ")
			line, _, _ := strings.Cut(after, "\r\n")
			_, value, _ := strings.Cut(line, " ")
			_, _ = fmt.Fprint(conn, value, "\r\n\r\n")
			_ = conn.Close()
		}
	}()
	transport := &redact.Transport{Next: &http.Transport{DisableKeepAlives: true}}
	for _, way := range []string{"Bearer", "Basic"} {
		resp, err := transport.RoundTrip(newRequest(t.Context(), t, "http://"+listener.Addr().String(), ways()[way]))
		if err == nil {
			t.Fatal(resp.Body.Close(), resp.Status)
		}
		if leaks(err.Error()) || !strings.Contains(err.Error(), "***") {
			t.Errorf("%s: got %v", way, err)
		}
	}
}

type canned struct {
	resp *http.Response
	err  error
}

func (c canned) RoundTrip(*http.Request) (*http.Response, error) { return c.resp, c.err }

func TestTransportChangesNoSuccess(t *testing.T) {
	t.Parallel()
	resp := &http.Response{StatusCode: 200, Header: http.Header{"X": {secret}}, Body: io.NopCloser(strings.NewReader(secret))}
	got, err := (&redact.Transport{Next: canned{resp: resp}}).RoundTrip(newRequest(t.Context(), t, "http://h", ways()["Bearer"])) //nolint:bodyclose // in memory
	if err != nil || got.Header.Get("X") != secret {
		t.Errorf("got %v, %v", got.Header, err)
	}
	text, err := io.ReadAll(got.Body)
	if err != nil || string(text) != secret {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestTransportBoundsARefusalAndReportsItsError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken while sending " + secret)
	for _, c := range []struct {
		body io.Reader
		want int
		err  error
	}{
		{strings.NewReader(strings.Repeat("x", 1<<20)), 64 << 10, nil},
		{io.MultiReader(strings.NewReader("xyz"), failing{broken}), 3, broken},
	} {
		resp := &http.Response{StatusCode: 500, Body: io.NopCloser(c.body)}
		got, err := (&redact.Transport{Next: canned{resp: resp}}).RoundTrip(newRequest(t.Context(), t, "http://h", ways()["Bearer"])) //nolint:bodyclose // in memory
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(got.Body)
		if len(text) != c.want || !errors.Is(err, c.err) || err != nil && leaks(err.Error()) {
			t.Errorf("got %d bytes and %v", len(text), err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
