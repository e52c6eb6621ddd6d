package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/httpapi"
)

func TestPair(t *testing.T) {
	t.Parallel()
	var gotUser string
	var got auth.Pair
	var scopes []string
	api := newAPI(t, func(o *httpapi.Options) {
		o.Auth = fakeAuth{pair: func(user string, p auth.Pair) (auth.Pairing, error) {
			gotUser, got = user, p
			return auth.Pairing{Kind: p.Kind, Host: "github.com", Login: "dscape", Scopes: scopes, App: "*"}, nil
		}}
	})
	body := `{"credentials":"dscape:` + secret + `"}`
	scopes = []string{"repo", "repo:status"}
	golden(t, "pair", whole(serve(api, request(t, "POST", "/1/auth/github", body, as("dscape"), "Content-Type: application/json"))))
	if gotUser != "dscape" || got.Kind != "github" || got.Host != "" || got.App != "" || got.Credentials.Reveal() != "dscape:"+secret {
		t.Errorf("paired %q with %+v", gotUser, got)
	}
	scopes = nil
	golden(t, "pair fine-grained", whole(serve(api, request(t, "POST", "/1/auth/github/?app=hello", body, as("dscape")))))
	if got.App != "hello" {
		t.Errorf("paired for %q, want hello", got.App)
	}
	if w := serve(api, request(t, "POST", "/1/auth/gitlab?forge=gitlab.example.com", body, as("dscape"))); w.Code != http.StatusOK || got.Kind != "gitlab" || got.Host != "gitlab.example.com" {
		t.Errorf("got %d, paired with %+v", w.Code, got)
	}
	if w := serve(api, request(t, "POST", "/1/auth/github", body)); w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("without credentials: %d", w.Code)
	}
}

func TestPairBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, target, body string
		want               core.Code
		status             int
	}{
		{"nothing", "", "", core.CodeNoCredentials, 400},
		{"nothing in it", "", "{}", core.CodeNoCredentials, 400},
		{"null", "", `{"credentials":null}`, core.CodeNoCredentials, 400},
		{"no JSON", "", "credentials=" + secret, core.CodeBadCredentials, 400},
		{"an array", "", `["` + secret + `"]`, core.CodeBadCredentials, 400},
		{"a number", "", `{"credentials":1}`, core.CodeBadCredentials, 400},
		{"an object", "", `{"credentials":{"a":"` + secret + `"}}`, core.CodeBadCredentials, 400},
		{"too large", "", strings.Repeat(" ", 65<<10), core.CodePayloadTooLarge, 413},
		{"an invalid query", "?app=%zz", "{}", core.CodeAuthParams, 400},
	} {
		api := newAPI(t, func(o *httpapi.Options) {
			o.Auth = fakeAuth{pair: func(_ string, p auth.Pair) (auth.Pairing, error) {
				if !p.Credentials.IsZero() {
					t.Errorf("%s: the use case got credentials", c.name)
				}
				return auth.Pairing{}, core.NewError(core.CodeNoCredentials, "", nil)
			}}
		})
		w := serve(api, request(t, "POST", "/1/auth/github"+c.target, c.body, as("dscape")))
		var body struct{ Error core.Code }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error != c.want || w.Code != c.status {
			t.Errorf("%s: got %d %s, want %d %s", c.name, w.Code, w.Body, c.status, c.want)
		}
		if strings.Contains(w.Body.String(), secret) {
			t.Errorf("%s: the response contains the credentials: %s", c.name, w.Body)
		}
	}
}
