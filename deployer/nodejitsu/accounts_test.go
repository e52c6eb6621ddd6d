package nodejitsu_test

import (
	"errors"
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
