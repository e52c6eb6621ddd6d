package startup_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// A process that speaks TLS on its port is refused with what to do, and nothing else is.
func TestCheckPlain(t *testing.T) {
	t.Parallel()
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	plain, both := httptest.NewServer(answer), httptest.NewTLSServer(answer) // which answers HTTP by 400
	t.Cleanup(plain.Close)
	t.Cleanup(both.Close)
	secure := tls.NewListener(listen(t), both.TLS)
	go func() {
		for conn, err := secure.Accept(); err == nil; conn, err = secure.Accept() {
			_ = conn.(*tls.Conn).HandshakeContext(t.Context()) // fails for HTTP
			_ = conn.Close()
		}
	}()
	client, err := new(net.Dialer).DialContext(t.Context(), "tcp", plain.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for name, test := range map[string]struct {
		addr net.Addr
		want string
	}{
		"HTTP":    {plain.Listener.Addr(), ""},
		"both":    {both.Listener.Addr(), ""},
		"nothing": {client.LocalAddr(), ""},
		"TLS":     {secure.Addr(), "drone 1 speaks TLS (HTTPS) on PORT"},
	} {
		err := core.AsError(startup.CheckPlain(t.Context(), test.addr.String(), "drone 1"))
		if (err != nil) != (test.want != "") || err != nil && (err.Code != core.CodePlatformStartFailed || !strings.HasPrefix(err.Reason, test.want)) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	if status, err := startup.Get(t.Context(), plain.Listener.Addr().String(), "/"); err != nil || status != http.StatusTeapot {
		t.Errorf("status %d, %v", status, err)
	}
}

// listen returns a listener on loopback, which is closed at the end.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
