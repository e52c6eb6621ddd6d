package guard_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/guard/guardtest"
)

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A literal address in a URL is the operator's choice. The address of a name is not,
// unless the operator lists the name.
func TestURLsThatMayBePrivate(t *testing.T) {
	t.Parallel()
	private := []string{"Hooks.internal", "10.0.0.1.nip.example"}
	for text, want := range map[string]bool{
		"http://127.0.0.1/": true, "http://10.1.2.3:81/": true, "http://[::1]/": true, "https://[::ffff:10.0.0.1]/": true,
		"http://[fe80::1%25lo]/": true, "https://localhost:8443/": true, "http://LOCALHOST/": true,
		"https://hooks.internal/": true, "https://HOOKS.internal:8443/": true,

		"https://example.com/": false, "http://localhost.example.com/": false, "http://localhost./": false, "http://app.localhost/": false,
		"http://2130706433/": false, "http://0x7f.1/": false, "http://0177.0.0.1/": false, "http://127.1/": false, "http://0/": false,
		"http://127.0.0.1.nip.example/": false, "https://other.internal/": false, "https://sub.hooks.internal/": false,
	} {
		u := parse(t, text)
		if got := guard.ForURL(u, private).Names(guard.HostPort(u)); got != want {
			t.Errorf("%s may be private: %t, want %t", text, got, want)
		}
	}
	// Other hosts, and other ports of the same host, are not named.
	named := guard.ForURL(parse(t, "http://127.0.0.1:81/"), nil)
	for _, addr := range []string{"127.0.0.1:80", "127.0.0.2:81", "localhost:81"} {
		if named.Names(addr) {
			t.Errorf("%s is named", addr)
		}
	}
}

// A name that resolves to another address at each query can't reach a private one.
func TestRebinding(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(inside.Close)
	port := parse(t, inside.URL).Port()
	get := func(to string, private ...string) error {
		u := parse(t, to)
		g := guard.ForURL(u, private)
		g.Resolver = guardtest.NewResolver(t, "127.0.0.1")
		client := http.Client{Transport: g.Transport()}
		defer client.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	if err := get("http://hooks.example.com:" + port); !errors.Is(err, guard.ErrRefused) {
		t.Errorf("by a name: got %v, want refused", err)
	}
	if err := get("http://hooks.example.com:"+port, "hooks.example.com"); err != nil {
		t.Errorf("by a name that may be private: %v", err)
	}
	if err := get(inside.URL); err != nil {
		t.Errorf("by its address: %v", err)
	}
}

// A redirect to a private address is refused, even from a host that is named.
func TestRedirectToAPrivateAddress(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the private server got a request") }))
	t.Cleanup(inside.Close)
	outside := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusTemporaryRedirect))
	t.Cleanup(outside.Close)
	client := http.Client{Transport: guard.ForURL(parse(t, outside.URL), nil).Transport()}
	t.Cleanup(client.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, outside.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, guard.ErrRefused) {
		t.Errorf("got %v, want refused", err)
	}
}

// A proxy of the environment would connect to addresses that are not checked.
func TestNoProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	if guard.New(nil).Transport().Proxy != nil {
		t.Error("the transport has a proxy")
	}
}
