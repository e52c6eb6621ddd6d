package github

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"140.82.112.3": true, "1.1.1.1": true, "172.15.0.1": true, "172.32.0.1": true, "100.63.0.1": true, "2606:50c0:8000::153": true,
		"::ffff:140.82.112.3": true, "64:ff9b::140.82.112.3": true, "2002:8c52:7003::1": true,

		"127.0.0.1": false, "127.1.2.3": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.0.1": false,
		"172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false, "169.254.170.2": false, "100.64.0.1": false,
		"100.100.100.200": false, "192.0.0.192": false, "198.18.0.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::ffff:10.0.0.1": false,
		"fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::169.254.169.254": false, "64:ff9b:1::1.1.1.1": false, "2002:7f00:1::": false,
		"2002:a9fe:a9fe::": false, "2001::7f00:1": false, "2001:db8::1": false, "100::1": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is public: %v, want %v", address, got, want)
		}
	}
	for _, address := range []string{"", "localhost:80", "1.1.1.1", "@/run/docker.sock"} {
		if err := refusePrivate("tcp", address, nil); !errors.Is(err, errRefused) {
			t.Errorf("%q: got %v", address, err)
		}
	}
}

// Hosts are named by the operator, not by what is built in.
func TestNamedHosts(t *testing.T) {
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
		if got := c.guard.named[test.addr]; got != test.want {
			t.Errorf("base %q, extra %q: %s is named: %v, want %v", test.base, test.extra, test.addr, got, test.want)
		}
	}
}

// liar is a name server that says of each name that it has these addresses, and
// of a name asked for again that it has the last one.
func liar(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	var config net.ListenConfig
	server, err := config.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		query := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			if _, err := server.WriteTo(lie(query[:n], addresses), from); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// lie answers a question for an A record with addresses, any other with none.
func lie(query []byte, addresses []string) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	question := query[12 : end+5]
	count := byte(0)
	var records []byte
	if question[len(question)-3] == 1 {
		count = byte(len(addresses)) //nolint:gosec // few
		for _, address := range addresses {
			records = append(records, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			records = append(records, netip.MustParseAddr(address).AsSlice()...)
		}
	}
	text := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0}, question...)
	return append(text, records...)
}

// Whatever way leads to a private address, nobody there hears of us: the hosts'
// allow list is taken out, as if the names on it had been taken over.
func TestNobodySendsUsInside(t *testing.T) {
	t.Parallel()
	var heard atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	t.Cleanup(inside.Close)
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resolver := liar(t, "127.0.0.1")
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
			c.guard.wary.Resolver = resolver
			at, err := url.Parse("http://" + host + ":" + port + "/archive?token=one-time")
			if err != nil {
				t.Fatal(err)
			}
			if err := c.checkArchive(at); !errors.Is(err, errRefused) {
				t.Errorf("by its name: got %v, want refused", err)
			}
			c.hosts[hostPort(at)] = true
			body, err := c.openArchive(t.Context(), "test", at)
			if err == nil {
				_ = body.Close()
				t.Fatal("it was fetched")
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
			t.Errorf("%d requests arrived inside", got)
		}
	})
}

// The API's own name may be taken over too, and the token must not follow.
func TestRebindingTheAPI(t *testing.T) {
	t.Parallel()
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, address := range []string{"127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.0.1"} {
		c.guard.wary.Resolver = liar(t, address)
		_, _, err := c.Login(t.Context(), "ghp_canary")
		if _, again := core.Retryable(err); again || !errors.Is(err, errRefused) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want refused", address, err)
		}
	}
}

// The operator's own choice is his.
func TestNamedHostMayBeInside(t *testing.T) {
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
	c.guard.free.Resolver = liar(t, "127.0.0.1")
	if login, _, err := c.Login(t.Context(), "ghp_canary"); login != "octo" || err != nil {
		t.Errorf("got %q, %v", login, err)
	}
}

// An environment's proxy would make the connection in our place.
func TestNoProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	c, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.connections.Proxy != nil {
		t.Error("there is a proxy")
	}
}
