package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/httpapi"
)

// fetch posts body and returns the whole answer.
func fetch(t *testing.T, url, body string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

func TestDeployOutcomes(t *testing.T) {
	t.Parallel()
	for _, state := range core.Statuses {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			api := newAPI(t, func(o *httpapi.Options) {
				o.Deploy = fakeDeploy{
					deliver: func(context.Context, deploy.Request) (deploy.Receipt, error) {
						return deploy.Receipt{Change: changeOf(core.StatusPending)}, nil
					},
					wait: func(_ context.Context, id string) (core.Change, error) {
						if id != entryID {
							t.Errorf("waited for %q", id)
						}
						return changeOf(state), nil
					},
				}
			})
			golden(t, "deploy "+string(state), whole(serve(api, request(t, "POST", "/1/deploy", "{}"))))
		})
	}
}

// The use case gets the fields of the request, and its result is the response.
func TestDeployRequest(t *testing.T) {
	t.Parallel()
	var got deploy.Request
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{deliver: func(_ context.Context, r deploy.Request) (deploy.Receipt, error) {
			got = r
			return deploy.Receipt{Change: changeOf(core.StatusIgnored), Repeat: true}, nil
		}}
	})
	w := serve(api, request(t, "POST", "/?branch=feat%2Fa%231&user=indexzero", "email=x&payload=%7B%22a%22%3A1%7D",
		as("dscape"), "Content-Type: application/x-www-form-urlencoded", "X-GitHub-Delivery: 72d3162e"))
	if w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if got.UUID != uuid || got.User != "indexzero" || got.Target.Branch != "feat/a#1" {
		t.Errorf("got UUID %q, user %q, branch %q", got.UUID, got.User, got.Target.Branch)
	}
	if got.Credentials == nil || got.Credentials.Username != "dscape" || got.Credentials.Password.Reveal() != secret {
		t.Errorf("got credentials %v", got.Credentials)
	}
	if string(got.Delivery.Payload) != `{"a":1}` || !strings.HasPrefix(string(got.Delivery.Body), "email=") {
		t.Errorf("got payload %q of body %q", got.Delivery.Payload, got.Delivery.Body)
	}
	if got.Delivery.Header.Get("X-Github-Delivery") != "72d3162e" || got.Delivery.Header.Get("Authorization") != "" {
		t.Errorf("got headers %v", got.Delivery.Header)
	}
}

func TestDeployCredentials(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, header string
		present      bool
		want         int
	}{
		{"none", "", false, 200},
		{"Basic", "Basic ZHNjYXBlOmh1bnRlcjI=", true, 200},
		{"Basic in lower case", "basic ZHNjYXBlOmh1bnRlcjI=", true, 200},
		{"Basic with an empty password", "Basic ZHNjYXBlOg==", true, 200},
		{"Travis CI's former hash", "Authorization-less " /* replaced below */, false, 200},
		{"no base64", "Basic %%%", false, 401},
		{"no colon", "Basic ZHNjYXBl", false, 401},
		{"no user", "Basic OnNlY3JldA==", false, 401},
		{"a newline in it", "Basic YQpiOmM=", false, 401},
		{"not UTF-8", "Basic /zph", false, 401},
		{"empty", "Basic", false, 401},
		{"another scheme", "Bearer abc", false, 401},
		{"no scheme and no hex", "hello", false, 401},
	}
	cases[4].header = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			called := false
			api := newAPI(t, func(o *httpapi.Options) {
				o.Deploy = fakeDeploy{deliver: func(_ context.Context, r deploy.Request) (deploy.Receipt, error) {
					called = true
					if got := r.Credentials != nil; got != c.present {
						t.Errorf("credentials present: %t, want %t", got, c.present)
					}
					return deploy.Receipt{Change: changeOf(core.StatusOK)}, nil
				}}
			})
			var headers []string
			if c.header != "" {
				headers = append(headers, "Authorization: "+c.header)
			}
			w := serve(api, request(t, "POST", "/", "{}", headers...))
			if w.Code != c.want || called != (c.want == 200) {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, c.want)
			}
			if c.want == 401 {
				golden(t, "deploy bad creds", whole(w))
			}
		})
	}
}

func TestDeployRefusals(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, target, body string
		headers            []string
		want               core.Code
	}{
		{"an empty body", "/", "", nil, core.CodeNoPayload},
		{"an empty payload", "/", "payload=&x=1", nil, core.CodeNoPayload},
		{"white space", "/", " \r\n", nil, core.CodeNoPayload},
		{"neither JSON nor a form", "/", "hello", nil, core.CodeProviderNotSupported},
		{"compressed", "/", "{}", []string{"Content-Encoding: gzip"}, core.CodePayloadEncoding},
		{"compressed, two headers", "/", "{}", []string{"Content-Encoding: identity", "Content-Encoding: br"}, core.CodePayloadEncoding},
		{"an invalid branch", "/?branch=a%0ab", "{}", nil, core.CodeDeployParams},
		{"a very long branch", "/?branch=" + strings.Repeat("a", 256), "{}", nil, core.CodeDeployParams},
		{"an invalid app", "/?app=Hello", "{}", nil, core.CodeDeployParams},
		{"an invalid root", "/?root=..", "{}", nil, core.CodeDeployParams},
		{"an invalid query", "/?branch=%zz", "{}", nil, core.CodeDeployParams},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := serve(newAPI(t, nil), request(t, "POST", c.target, c.body, c.headers...))
			var body struct{ Error core.Code }
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error != c.want {
				t.Errorf("got %d %s, want %s", w.Code, w.Body, c.want)
			}
		})
	}
}

// endless is a body that never ends, and counts what is read of it.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.read += int64(len(p))
	return len(p), nil
}

func TestPayloadTooLarge(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int64{"announced": core.MaxPayload + 1, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := &endless{}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
			r.ContentLength = length
			w := serve(newAPI(t, nil), r)
			golden(t, "payload too large", whole(w))
			if length > 0 && body.read > 0 || body.read > core.MaxPayload+1<<20 {
				t.Errorf("%d bytes were read", body.read)
			}
		})
	}
}

func TestLargestPayload(t *testing.T) {
	t.Parallel()
	var size int
	api := newAPI(t, func(o *httpapi.Options) {
		o.Deploy = fakeDeploy{deliver: func(_ context.Context, r deploy.Request) (deploy.Receipt, error) {
			size = len(r.Delivery.Body)
			return deploy.Receipt{Change: changeOf(core.StatusOK)}, nil
		}}
	})
	body := "{" + strings.Repeat(" ", core.MaxPayload-2) + "}"
	if w := serve(api, request(t, "POST", "/", body)); w.Code != 200 || size != core.MaxPayload {
		t.Errorf("got %d %s, with %d bytes", w.Code, w.Body, size)
	}
}

// A truncated body is refused, and the use case is not called.
func TestPayloadCutOff(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.MultiReader(
		strings.NewReader(`{"a":`), failing{}))
	r.ContentLength = 100
	if w := serve(newAPI(t, nil), r); w.Code != http.StatusBadRequest {
		t.Errorf("got %d %s, want 400", w.Code, w.Body)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
