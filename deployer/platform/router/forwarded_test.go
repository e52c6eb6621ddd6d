package router_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/router"
)

// An app behind a proxy that terminates TLS receives the client's address and
// protocol.
func TestForwardedByProxies(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		trusted            []netip.Prefix
		forwarded          []string // X-Forwarded-For
		proto              string
		wantFor, wantProto string
	}{
		"no trusted proxy":               {nil, []string{"1.2.3.4"}, "https", "127.0.0.1", "http"},
		"one proxy":                      {proxies, []string{"1.2.3.4"}, "https", "1.2.3.4", "https"},
		"forged address":                 {proxies, []string{"6.6.6.6, 1.2.3.4"}, "ftp, https", "1.2.3.4", "https"},
		"forged address in its own line": {proxies, []string{"6.6.6.6", "1.2.3.4"}, "https", "1.2.3.4", "https"},
		"chain of proxies":               {proxies, []string{"6.6.6.6, 1.2.3.4, 10.0.0.7"}, "https", "1.2.3.4", "https"},
		"only proxies":                   {proxies, []string{"10.0.0.8, 10.0.0.7"}, "http", "10.0.0.8", "http"},
		"proxy without headers":          {proxies, nil, "", "127.0.0.1", "http"},
		"invalid address":                {proxies, []string{"1.2.3.4, unknown"}, "gopher", "127.0.0.1", "http"},
		"IPv6":                           {proxies, []string{"2001:db8::1"}, "https", "2001:db8::1", "https"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := with(t, router.Options{Proxies: c.trusted}, drone(t, func(w http.ResponseWriter, req *http.Request) {
				for _, header := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
					_, _ = w.Write([]byte(strings.Join(req.Header.Values(header), ",") + " "))
				}
			}))
			req := f.request(http.MethodGet, "app.example", "/", nil)
			req.Header["X-Forwarded-For"] = c.forwarded
			req.Header.Set("X-Forwarded-Proto", c.proto)
			req.Header.Set("X-Forwarded-Host", "evil.example")
			if _, got := f.do(req); got != c.wantFor+" "+c.wantProto+" app.example " {
				t.Errorf("got headers %q, want address %s and protocol %s", got, c.wantFor, c.wantProto)
			}
		})
	}
}
