package peer_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/peer"
)

// serve answers each request with what peer.Is says of the test's own user.
func serve(t *testing.T, listen string, withContext bool) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	self := func(uid uint32) bool { return uid == uint32(os.Getuid()) } //nolint:gosec // a uid
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if peer.Is(r.Context(), self) {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	_ = server.Listener.Close()
	server.Listener = listener
	if withContext {
		server.Config.ConnContext = peer.Context
	}
	server.Start()
	t.Cleanup(server.Close)
	return listener.Addr().String()
}

// call returns the status of what to answers to a connection from from.
func call(t *testing.T, from, network, to string) int {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, network, to) },
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://server/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestIs(t *testing.T) {
	t.Parallel()
	_, port, err := net.SplitHostPort(serve(t, ":0", true))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range append(own(t), "127.0.0.1", "127.0.0.7") {
		if got := call(t, "", "tcp", net.JoinHostPort(host, port)); got != http.StatusForbidden {
			t.Errorf("to %s: %d", host, got)
		}
	}
	if got := call(t, "127.0.0.9", "tcp4", net.JoinHostPort("127.0.0.1", port)); got != http.StatusForbidden {
		t.Errorf("from another loopback address: %d", got)
	}
	if got := call(t, "", "tcp", serve(t, "127.0.0.1:0", false)); got != http.StatusOK {
		t.Errorf("where nobody looks: %d", got)
	}
}

// own returns the machine's addresses that are not of one link alone.
func own(t *testing.T) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, a := range all {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && !ip.IsLinkLocalUnicast() {
			hosts = append(hosts, ip.String())
		}
	}
	return hosts
}

// connected is a connection as its server has it.
type connected struct {
	net.Conn
	remote net.Addr
}

// RemoteAddr returns the other end.
func (c connected) RemoteAddr() net.Addr { return c.remote }

func TestIsOfOthers(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is at once
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // the test's own
	var dialer net.Dialer
	client, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the test's own
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	nobody := func(uint32) bool { return false }
	everybody := func(uint32) bool { return true }
	if !peer.Is(peer.Context(t.Context(), conn), nobody) {
		t.Error("who has closed the connection is taken for somebody else")
	}
	for name, remote := range map[string]net.Addr{
		"another machine": &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80},
		"no TCP":          &net.UnixAddr{Name: "x", Net: "unix"},
	} {
		if peer.Is(peer.Context(t.Context(), connected{conn, remote}), everybody) {
			t.Errorf("%s is taken for a user of this one", name)
		}
	}
}
