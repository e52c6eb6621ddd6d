package router_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/router"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// BenchmarkRouter measures a request to a drone that answers with 1 KB, through the
// router and back, by clients that keep their connections.
func BenchmarkRouter(b *testing.B) {
	text := make([]byte, 1024)
	drone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) }))
	defer drone.Close()
	r := router.New(router.Options{
		Lookup: func(string) (string, string, bool) { return "me", "app", true },
		Pick: func(string, string, string) (runner.Target, bool) {
			return runner.Target{Addr: drone.Listener.Addr().String(), Done: func() {}}, true
		},
	})
	defer r.Close()
	server := httptest.NewServer(r)
	defer server.Close()
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close() //nolint:errcheck // only read
		in := bufio.NewReader(conn)
		for pb.Next() {
			_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\n\r\n")
			if err != nil {
				b.Error(err)
				return
			}
			resp, err := http.ReadResponse(in, nil)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			if err != nil || resp.StatusCode != http.StatusOK {
				b.Error(resp, err)
				return
			}
		}
	})
}
