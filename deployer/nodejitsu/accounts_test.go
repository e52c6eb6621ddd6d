package nodejitsu_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// platform is an http.RoundTripper that answers as a platform does, and counts
// its requests: a transport without sockets, so that a test can control time.
type platform struct {
	requests int
	status   int
}

func (p *platform) RoundTrip(r *http.Request) (*http.Response, error) {
	p.requests++
	w := httptest.NewRecorder()
	switch {
	case p.status != 0:
		refuse(w, p.status, "refused", "No")
	case strings.HasSuffix(r.URL.Path, "/thirdparty"):
		_, _ = w.Write([]byte(`[{"id":"hook","provider":"webhook-secret","token":"canary"}]`))
	default:
		_, _ = w.Write([]byte(`{"user":{"username":"maciej"}}`))
	}
	return w.Result(), nil
}

// What the deliveries of a secret ask for is written once.
func TestFixTarget(t *testing.T) {
	t.Parallel()
	stored := `[{"id":"hook","provider":"webhook-secret","app":"*","token":"canary","required":true}]`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			text, _ := io.ReadAll(r.Body)
			stored = "[" + string(text) + "]"
		}
		_, _ = io.WriteString(w, stored)
	}))
	defer server.Close()
	p := nodejitsu.NewPlatform(nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return server.URL }, Username: core.ServiceUser, Password: func() core.Secret { return password },
	}))
	for _, target := range []core.Target{{App: "one", Paths: []string{"lib"}}, {App: "two"}} {
		fixed, err := p.FixTarget(t.Context(), "maciej", "hook", target)
		if err != nil || fixed.String() != "app=one, paths=lib" {
			t.Errorf("got %s, %v", fixed, err)
		}
	}
	tokens, err := p.Tokens(t.Context(), "maciej", false)
	if err != nil || len(tokens) != 1 || !tokens[0].Required || tokens[0].Token.Reveal() != "canary" || tokens[0].Target.String() != "app=one, paths=lib" {
		t.Errorf("got %+v, %v", tokens, err)
	}
	if _, err := p.FixTarget(t.Context(), "maciej", "other", core.Target{}); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("of an unknown secret: %v", err)
	}
}

// Responses of the platform are cached for some seconds, unless the caller wants
// fresh ones; refusals are not cached.
func TestAccountsAreCached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		far := &platform{}
		p := nodejitsu.NewPlatform(nodejitsu.New(nodejitsu.Options{
			Endpoint: func() string { return "http://platform.example" }, Username: core.ServiceUser, HTTP: &http.Client{Transport: far},
		}))
		given := core.Credentials{Username: "maciej", Password: password}
		authenticate := func(c core.Credentials, requests int) {
			t.Helper()
			before := far.requests
			if account, err := p.Authenticate(t.Context(), c); err != nil || account.Username != "maciej" {
				t.Errorf("%v, %v", account, err)
			}
			if got := far.requests - before; got != requests {
				t.Errorf("it took %d requests, want %d", got, requests)
			}
		}
		tokens := func(fresh bool, requests int) {
			t.Helper()
			before := far.requests
			if found, err := p.Tokens(t.Context(), "maciej", fresh); err != nil || len(found) != 1 {
				t.Errorf("%v, %v", found, err)
			}
			if got := far.requests - before; got != requests {
				t.Errorf("it took %d requests, want %d", got, requests)
			}
		}
		authenticate(given, 1)
		authenticate(given, 0)
		authenticate(core.Credentials{Username: "maciej", Password: core.NewSecret("another")}, 1)
		tokens(false, 1)
		tokens(false, 0)
		tokens(true, 1)
		time.Sleep(5 * time.Second)
		authenticate(given, 1)
		tokens(false, 1)
		if err := p.SetToken(t.Context(), "maciej", core.ThirdPartyToken{ID: "a"}); err != nil {
			t.Fatal(err)
		}
		tokens(false, 1)
		time.Sleep(5 * time.Second)
		far.status = http.StatusUnauthorized
		for range 2 {
			before := far.requests
			if _, err := p.Authenticate(t.Context(), given); !errors.Is(err, core.ErrUnauthorized) || far.requests != before+1 {
				t.Errorf("refused: %v with %d requests", err, far.requests-before)
			}
		}
	})
}
