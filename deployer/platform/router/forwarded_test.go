package router_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/router"
)

// An app behind a proxy that ends TLS sees who asked it, and how.
func TestForwardedByProxies(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		trusted          []netip.Prefix
		given            []string // X-Forwarded-For
		proto            string
		wantFor, wantHow string
	}{
		"nobody is trusted":          {nil, []string{"1.2.3.4"}, "https", "127.0.0.1", "http"},
		"a proxy":                    {proxies, []string{"1.2.3.4"}, "https", "1.2.3.4", "https"},
		"a client that lies":         {proxies, []string{"6.6.6.6, 1.2.3.4"}, "ftp, https", "1.2.3.4", "https"},
		"a lie in a line of its own": {proxies, []string{"6.6.6.6", "1.2.3.4"}, "https", "1.2.3.4", "https"},
		"a row of proxies":           {proxies, []string{"6.6.6.6, 1.2.3.4, 10.0.0.7"}, "https", "1.2.3.4", "https"},
		"proxies alone":              {proxies, []string{"10.0.0.8, 10.0.0.7"}, "http", "10.0.0.8", "http"},
		"a proxy that says nothing":  {proxies, nil, "", "127.0.0.1", "http"},
		"what is no address":         {proxies, []string{"1.2.3.4, unknown"}, "gopher", "127.0.0.1", "http"},
		"IPv6":                       {proxies, []string{"2001:db8::1"}, "https", "2001:db8::1", "https"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := with(t, router.Options{Proxies: c.trusted}, drone(t, func(w http.ResponseWriter, req *http.Request) {
				for _, header := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"} {
					_, _ = w.Write([]byte(strings.Join(req.Header.Values(header), ",") + " "))
				}
			}))
			req := b.request(http.MethodGet, "app.example", "/", nil)
			req.Header["X-Forwarded-For"] = c.given
			req.Header.Set("X-Forwarded-Proto", c.proto)
			req.Header.Set("X-Forwarded-Host", "evil.example")
			if _, got := b.do(req); got != c.wantFor+" "+c.wantHow+" app.example " {
				t.Errorf("the app sees %q, want %s by %s", got, c.wantFor, c.wantHow)
			}
		})
	}
}
