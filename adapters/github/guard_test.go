package github

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/internal/guard"
	"github.com/nodejitsu/webhooks/adapters/internal/guard/guardtest"
	"github.com/nodejitsu/webhooks/core"
)

// Only hosts that the operator configured may have private addresses.
func TestHostsThatMayBePrivate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		base  string
		extra []string
		addr  string
		want  bool
	}{
		{"", nil, "api.github.com:443", false},
		{"", nil, "codeload.github.com:443", false},
		{"https://api.github.com/", nil, "api.github.com:443", false},
		{"https://api.github.com:443/", nil, "codeload.github.com:443", false},
		{"", []string{"codeload.github.com"}, "codeload.github.com:443", true},
		{"", []string{"Mirror.example:8443"}, "mirror.example:8443", true},
		{"", []string{"mirror.example:8443"}, "mirror.example:443", false},
		{"https://Git.example/api/v3", nil, "git.example:443", true},
		{"https://git.example/api/v3", nil, "codeload.git.example:443", true},
		{"https://git.example/api/v3", nil, "codeload.github.com:443", false},
		{"http://127.0.0.1:81", nil, "127.0.0.1:81", true},
		{"http://127.0.0.1:81", nil, "127.0.0.1:80", false},
		{"http://[::1]:81", nil, "[::1]:81", true},
	} {
		c, err := New(Options{BaseURL: test.base, ArchiveHosts: test.extra})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.guard.Names(test.addr); got != test.want {
			t.Errorf("base %q, extra %q: %s is named: %v, want %v", test.base, test.extra, test.addr, got, test.want)
		}
	}
}

// No request is sent to a private address. The test
// disables the list of allowed hosts, as if the names on it resolved to private
// addresses.
func TestNoRequestToAPrivateAddress(t *testing.T) {
	t.Parallel()
	var heard atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	t.Cleanup(inside.Close)
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resolver := guardtest.NewResolver(t, "127.0.0.1")
	for _, host := range []string{
		"127.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::127.0.0.1]", "[::1]", "[::]", "0.0.0.0", "0", "0x7f.1",
		"0177.0.0.1", "2130706433", "127.1", "localhost", "codeload.github.com", "codeload.github.com.", "metadata.google.internal",
		"169.254.169.254", "[fe80::1%25lo]", "127.0.0.1.nip.example", "①②⑦.⓪.⓪.①",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			c, err := New(Options{BaseURL: "http://git.example/"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			c.guard.Resolver = resolver
			at, err := url.Parse("http://" + host + ":" + port + "/archive?token=one-time")
			if err != nil {
				t.Fatal(err)
			}
			if err := c.checkArchive(at); !errors.Is(err, errRefused) {
				t.Errorf("by name: got %v, want refused", err)
			}
			c.archiveHosts[guard.HostPort(at)] = true
			body, err := c.openArchive(t.Context(), "test", at)
			if err == nil {
				_ = body.Close()
				t.Fatal("it was fetched from a private address")
			}
			if _, again := core.Retryable(err); again && errors.Is(err, errRefused) || strings.Contains(err.Error(), "one-time") {
				t.Errorf("got %v", err)
			}
			if _, lookup := errors.AsType[*net.DNSError](err); !lookup && !errors.Is(err, errRefused) {
				t.Errorf("got %v, want refused", err)
			}
		})
	}
	t.Cleanup(func() {
		if got := heard.Load(); got != 0 {
			t.Errorf("%d requests arrived at a private address", got)
		}
	})
}

// If the name of the API resolves to a private address, no token is sent there.
func TestNoTokenToAReboundAPI(t *testing.T) {
	t.Parallel()
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, address := range []string{"127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.0.1"} {
		c.guard.Resolver = guardtest.NewResolver(t, address)
		_, _, err := c.Login(t.Context(), core.NewSecret("ghp_canary"))
		if _, again := core.Retryable(err); again || !errors.Is(err, errRefused) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want refused", address, err)
		}
	}
}

// A host that the operator configured may have a private address.
func TestConfiguredHostMayBePrivate(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"login":"octo"}`))
	}))
	t.Cleanup(inside.Close)
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{BaseURL: "http://Git.Example:" + port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.guard.Resolver = guardtest.NewResolver(t, "127.0.0.1")
	if login, _, err := c.Login(t.Context(), core.NewSecret("ghp_canary")); login != "octo" || err != nil {
		t.Errorf("got %q, %v", login, err)
	}
}

// A proxy of the environment would connect to addresses that are not checked.
func TestNoProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.connections.Proxy != nil {
		t.Error("the transport has a proxy")
	}
}
